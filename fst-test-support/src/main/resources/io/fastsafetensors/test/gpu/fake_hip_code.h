/* What the fake HIP runtime and the fake hiprtc agree on. */
#ifndef FST_FAKE_HIP_CODE_H
#define FST_FAKE_HIP_CODE_H

/* With features, as MI200 cards report it. */
#define FAKE_HIP_ARCH "gfx90a:sramecc+:xnack-"
/* A "code object" is this followed by the architecture that was asked for and a zero. */
#define FAKE_HIP_CODE "fake code object for "

#endif
