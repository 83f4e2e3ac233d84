/// The CUDA driver API: one interface with its C names and constants, and the one place where a status becomes an
/// exception.
/// Plain Java types only; the binding is in `jcuda`, tests give the interface a scripted implementation.
@NullMarked
package io.fastsafetensors.backend.cuda.driver;

import org.jspecify.annotations.NullMarked;
