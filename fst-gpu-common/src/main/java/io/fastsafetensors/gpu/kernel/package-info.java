/// The shared kernels of device backends: one source text for CUDA, HIP, OpenCL and C, and the plan of which of its
/// functions to launch, with which arguments, for a conversion or a gather.
/// A backend compiles [KernelSource#text()] and launches what [KernelPlan] returns; it needs to know no more.
@NullMarked
package io.fastsafetensors.gpu.kernel;

import org.jspecify.annotations.NullMarked;
