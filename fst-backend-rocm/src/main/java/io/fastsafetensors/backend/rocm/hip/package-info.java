/// AMD GPUs by HIP: devices, memory, copy streams, and the shared kernels compiled by hiprtc.
/// Every status of HIP becomes an exception in [HipRuntime], every hiprtc status in [KernelCompiler].
/// HIP's current device belongs to the thread: each call sets it and puts the user's back.
@NullMarked
package io.fastsafetensors.backend.rocm.hip;

import org.jspecify.annotations.NullMarked;
