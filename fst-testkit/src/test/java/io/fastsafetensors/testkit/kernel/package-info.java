/// The shared kernels, compiled as C and run on host memory: every dtype pair, gathers, unaligned data, sanitizers.
/// What a GPU does with them is the conformance suite's to check; their arithmetic and addresses are checked here.
/// Used by tests of the package above, which has the patterns.
@NullMarked
package io.fastsafetensors.testkit.kernel;

import org.jspecify.annotations.NullMarked;
