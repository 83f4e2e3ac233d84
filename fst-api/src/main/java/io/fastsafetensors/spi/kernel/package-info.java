/// Conversion and strided gather over host memory, bit for bit as [io.fastsafetensors.spi.Kernels] says.
/// The common pairs are loops over arrays that fit the first-level cache and that C2 vectorises; every other pair is
/// decoded and encoded element by element, from one table of formats.
@NullMarked
package io.fastsafetensors.spi.kernel;

import org.jspecify.annotations.NullMarked;
