/* What the fake GPU's own files know of one another. */
#ifndef FST_FAKE_GPU_ENGINE_H
#define FST_FAKE_GPU_ENGINE_H

#include "fake_gpu.h"

#include <pthread.h>

/* Guards everything that is not a stream's work in progress. */
extern pthread_mutex_t fg_lock;

struct fg_place {
    char *memory;
    int pageable; /* host memory that is not page-locked */
};

/* Where the bytes behind an address really are; FG_INVALID_VALUE if not all of them are in that space. */
FG_EXPORT int fg_resolve(uint64_t address, size_t bytes, enum fg_space space, struct fg_place *place);
/* Ends the errors of work that failed on a stream. */
void fg_forget_errors(void);

#endif
