/// OpenCL as its C interface, and JOCL behind it; no type of JOCL leaves this package.
/// Handles are `long`s, host memory is a segment, and a status is what the driver returned.
/// [io.fastsafetensors.backend.rocm.opencl.binding.ClStatus] is the one place that turns a status into an exception.
@NullMarked
package io.fastsafetensors.backend.rocm.opencl.binding;

import org.jspecify.annotations.NullMarked;
