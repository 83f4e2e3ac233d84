/// The rules that conversions and gathers keep, as checks for those who implement [io.fastsafetensors.spi.Kernels].
@NullMarked
package io.fastsafetensors.spi.kernel;

import org.jspecify.annotations.NullMarked;
