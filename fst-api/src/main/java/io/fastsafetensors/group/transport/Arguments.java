package io.fastsafetensors.group.transport;

import io.fastsafetensors.spi.BufferSlice;
import java.util.List;

/// Checks arguments that every group refuses before anything is sent.
public final class Arguments {
    private Arguments() {
    }

    /// There is such a rank.
    ///
    /// @throws IllegalArgumentException if not
    public static void requireRank(int rank, int size) {
        if (rank < 0 || rank >= size) {
            throw new IllegalArgumentException("rank " + rank + " of " + size);
        }
    }

    /// There is such a rank, and it is another one.
    ///
    /// @param rank this one
    /// @throws IllegalArgumentException if not
    public static void requireOther(int other, int rank, int size) {
        requireRank(other, size);
        if (other == rank) {
            throw new IllegalArgumentException("rank " + rank + " sends to or receives from itself");
        }
    }

    /// There is one part for each rank.
    ///
    /// @throws IllegalArgumentException if not
    public static void requireParts(List<BufferSlice> parts, int size) {
        if (parts.size() != size) {
            throw new IllegalArgumentException(parts.size() + " parts for " + size + " ranks");
        }
    }

    /// So many bytes fill the place.
    ///
    /// @throws IllegalArgumentException if not
    public static void requireSize(long bytes, BufferSlice into) {
        if (bytes != into.byteSize()) {
            throw new IllegalArgumentException(bytes + " bytes into " + into.byteSize());
        }
    }
}
