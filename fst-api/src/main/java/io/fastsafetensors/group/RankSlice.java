package io.fastsafetensors.group;

import io.fastsafetensors.spi.BufferSlice;

/// Memory that one rank has and all others get, for [ProcessGroup#allGather(java.util.List, io.fastsafetensors.spi.CopyStream)].
/// Owns nothing.
///
/// @param root the rank whose bytes count
/// @param slice on `root` the bytes, on the others where they go
public record RankSlice(int root, BufferSlice slice) {
}
