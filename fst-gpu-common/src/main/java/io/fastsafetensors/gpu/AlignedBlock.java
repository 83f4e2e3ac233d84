package io.fastsafetensors.gpu;

import java.util.function.LongConsumer;
import java.util.function.LongUnaryOperator;

/// A block of memory that starts at an aligned address.
///
/// @param base the allocator's address, which it wants back
/// @param address the first byte to use
/// @param bytes the usable bytes from there on
public record AlignedBlock(long base, long address, long bytes) {
    /// Allocates. Drivers align most blocks to far more than they promise, so more than asked for is allocated only
    /// where the driver's own alignment is not enough.
    ///
    /// @param bytes the usable bytes, from 0; at least 1 is allocated, because drivers give no address for none
    /// @param alignment a power of two
    /// @param allocate bytes → address; refuses by exception
    /// @param free takes back an address from `allocate`
    public static AlignedBlock allocate(long bytes, long alignment, LongUnaryOperator allocate, LongConsumer free) {
        long wanted = Math.max(bytes, 1);
        long base = allocate.applyAsLong(wanted);
        if (!isAligned(base, alignment)) {
            free.accept(base);
            long slack = alignment - 1;
            base = allocate.applyAsLong(wanted > Long.MAX_VALUE - slack ? Long.MAX_VALUE : wanted + slack);
        }
        return new AlignedBlock(base, ceiling(base, alignment), wanted);
    }

    /// Whether the first byte to use is at a multiple of a power of two.
    public boolean isAligned(long alignment) {
        return isAligned(address, alignment);
    }

    private static boolean isAligned(long address, long alignment) {
        return (address & alignment - 1) == 0;
    }

    private static long ceiling(long value, long alignment) {
        return value + alignment - 1 & -alignment;
    }
}
