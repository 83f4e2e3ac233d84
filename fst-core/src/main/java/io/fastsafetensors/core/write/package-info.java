/// Tensors → files: the header in the reference serializer's spelling, streaming, shards with an index, atomic renames.
/// Start at [CheckpointWriter]; nothing is read back here, and no tensor is held in memory.
/// Knows nothing of loading, devices or Jackson.
@NullMarked
package io.fastsafetensors.core.write;

import org.jspecify.annotations.NullMarked;
