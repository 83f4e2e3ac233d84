package io.fastsafetensors.backend.cpu.kernels;

import io.fastsafetensors.types.DType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Elements of any size, moved bit by bit: slow, and with nothing in common with the kernels.
final class Bits {
    private Bits() {
    }

    static long get(MemorySegment memory, long at, DType dtype, long index) {
        long raw = 0;
        long first = index * dtype.bits();
        for (int i = 0; i < dtype.bits(); i++) {
            long bit = first + i;
            raw |= (long) (memory.get(ValueLayout.JAVA_BYTE, at + (bit >> 3)) >> (bit & 7) & 1) << i;
        }
        return raw;
    }

    static void set(MemorySegment memory, long at, DType dtype, long index, long raw) {
        long first = index * dtype.bits();
        for (int i = 0; i < dtype.bits(); i++) {
            long place = at + (first + i >> 3);
            int mask = 1 << (first + i & 7);
            byte old = memory.get(ValueLayout.JAVA_BYTE, place);
            memory.set(ValueLayout.JAVA_BYTE, place, (byte) ((raw >> i & 1) == 0 ? old & ~mask : old | mask));
        }
    }
}
