/// Devices with an OpenCL driver, as `opencl:N`: the provider, and what its backend allocates and queues.
/// A buffer is a `cl_mem` in a context of the backend's own; a stream is a queue in which each command waits for the one
/// before it, so that a failure reaches every later fence. The driver is reached through `binding` alone.
@NullMarked
package io.fastsafetensors.backend.rocm.opencl;

import org.jspecify.annotations.NullMarked;
