/// The vocabulary: dtypes, shapes, devices, slices and what a header says of a tensor.
/// Immutable values that touch neither files nor memory.
/// Everything above (SPI, groups, user API) speaks in these words.
@NullMarked
package io.fastsafetensors.types;

import org.jspecify.annotations.NullMarked;
