package io.fastsafetensors.backend.rocm.hip;

import java.util.function.LongConsumer;
import java.util.function.LongUnaryOperator;

/// Memory at an aligned address.
///
/// @param base what the allocator gave and wants back
/// @param address the first byte to use
record Place(long base, long address) {
    /// Takes memory; where the allocator's own alignment is not enough, takes more and moves the start.
    ///
    /// @param bytes how many are needed, from 0
    /// @param alignment a power of two
    /// @param allocate bytes → address; refuses by exception
    /// @param free takes what `allocate` gave
    static Place find(long bytes, long alignment, LongUnaryOperator allocate, LongConsumer free) {
        // HIP gives no address for 0 bytes.
        long base = allocate.applyAsLong(Math.max(bytes, 1));
        if ((base & (alignment - 1)) == 0) {
            return new Place(base, base);
        }
        free.accept(base);
        long more = bytes > Long.MAX_VALUE - alignment ? Long.MAX_VALUE : bytes + alignment;
        base = allocate.applyAsLong(more);
        return new Place(base, base + alignment - 1 & -alignment);
    }
}
