/// Arithmetic of slices and shards: which elements, how many, where.
/// Pure: shapes in, shapes and strides out.
/// Follows the reference implementation's verdicts.
@NullMarked
package io.fastsafetensors.core.shard;

import org.jspecify.annotations.NullMarked;
