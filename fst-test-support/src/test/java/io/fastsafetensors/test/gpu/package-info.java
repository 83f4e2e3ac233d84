/// The fake GPU does what drivers do, through the CUDA driver's functions.
/// Other faces are tested where their backend is.
/// Needs a C compiler.
package io.fastsafetensors.test.gpu;
