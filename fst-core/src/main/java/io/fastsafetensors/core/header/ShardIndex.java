package io.fastsafetensors.core.header;

import io.fastsafetensors.types.Location;
import java.util.Map;
import java.util.Optional;
import java.util.SortedSet;

/// The content of an index. Its shard names are plain file names, not yet looked for.
///
/// @param location the index file
/// @param weightMap tensor name to shard name, in the index's order
/// @param shards the shard names, in order
/// @param totalSize the bytes of all tensors as the index gives them
record ShardIndex(Location location, Map<String, String> weightMap, SortedSet<String> shards,
        Optional<TotalSize> totalSize) {
}
