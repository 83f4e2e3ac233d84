package io.fastsafetensors.testkit.reference;

import io.fastsafetensors.types.DType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/// Raw elements in memory as the format stores them: little-endian, at any address, sub-byte ones packed from the low
/// bits of each byte upwards. A raw element is the low [DType#bits()] bits of a long.
public final class Elements {
    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED
            .withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private Elements() {
    }

    /// Reads element `index`; the bits above the element are 0.
    ///
    /// @throws IndexOutOfBoundsException if it is not inside
    public static long get(MemorySegment memory, DType dtype, long index) {
        return switch (dtype.bits()) {
            case 8 -> memory.get(ValueLayout.JAVA_BYTE, index) & 0xFFL;
            case 16 -> memory.get(SHORT, index * 2) & 0xFFFFL;
            case 32 -> memory.get(INT, index * 4) & 0xFFFFFFFFL;
            case 64 -> memory.get(LONG, index * 8);
            default -> getBits(memory, index * dtype.bits(), dtype.bits());
        };
    }

    /// Writes element `index`; bits of `raw` above the element are ignored, neighbours in the same byte stay.
    ///
    /// @throws IndexOutOfBoundsException if it is not inside
    public static void set(MemorySegment memory, DType dtype, long index, long raw) {
        switch (dtype.bits()) {
            case 8 -> memory.set(ValueLayout.JAVA_BYTE, index, (byte) raw);
            case 16 -> memory.set(SHORT, index * 2, (short) raw);
            case 32 -> memory.set(INT, index * 4, (int) raw);
            case 64 -> memory.set(LONG, index * 8, raw);
            default -> setBits(memory, index * dtype.bits(), dtype.bits(), raw);
        }
    }

    /// Raw elements, packed.
    ///
    /// @throws ArithmeticException if they do not fill whole bytes
    public static byte[] pack(DType dtype, long... raw) {
        byte[] bytes = new byte[Math.toIntExact(dtype.byteSize(raw.length))];
        MemorySegment memory = MemorySegment.ofArray(bytes);
        for (int i = 0; i < raw.length; i++) {
            set(memory, dtype, i, raw[i]);
        }
        return bytes;
    }

    private static long getBits(MemorySegment memory, long firstBit, int bits) {
        long raw = 0;
        for (int i = 0; i < bits; i++) {
            long at = firstBit + i;
            long bit = memory.get(ValueLayout.JAVA_BYTE, at >> 3) >> (at & 7) & 1;
            raw |= bit << i;
        }
        return raw;
    }

    private static void setBits(MemorySegment memory, long firstBit, int bits, long raw) {
        for (int i = 0; i < bits; i++) {
            long at = firstBit + i;
            int mask = 1 << (at & 7);
            byte old = memory.get(ValueLayout.JAVA_BYTE, at >> 3);
            memory.set(ValueLayout.JAVA_BYTE, at >> 3, (byte) ((raw >> i & 1) == 0 ? old & ~mask : old | mask));
        }
    }
}
