package io.fastsafetensors.core.shard;

/// One rank's indices of a dimension: blocks of ceil(size / ranks), the last ones smaller or empty.
///
/// @param start the first index; the dimension's size if there is none
/// @param length how many
public record Shard(long start, long length) {
    /// The part of a rank.
    ///
    /// @param size the dimension's size
    /// @param rank which part, from 0
    /// @param ranks how many parts
    public static Shard of(long size, int rank, int ranks) {
        long block = Math.ceilDiv(size, (long) ranks);
        long start = block == 0 || rank >= Math.ceilDiv(size, block) ? size : block * rank;
        return new Shard(start, Math.min(block, size - start));
    }
}
