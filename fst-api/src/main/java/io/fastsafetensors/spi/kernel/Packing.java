package io.fastsafetensors.spi.kernel;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import io.fastsafetensors.types.DType;
import java.lang.foreign.MemorySegment;

/// Elements of 4 to 64 bits in memory ↔ one a long. Sub-byte elements are packed from the low bits up: two to a byte,
/// or four to three bytes; a count of them fills whole bytes.
final class Packing {
    private Packing() {
    }

    /// The bytes that `count` elements take.
    static long bytes(int bits, long count) {
        return (count * bits) >>> 3;
    }

    /// Reads `count` elements, unsigned.
    static void load(int bits, MemorySegment source, long at, long[] out, int count) {
        switch (bits) {
            case 4 -> {
                for (int i = 0; i < count; i += 2) {
                    int pair = source.get(JAVA_BYTE, at + (i >> 1));
                    out[i] = pair & 0xF;
                    out[i + 1] = pair >> 4 & 0xF;
                }
            }
            case 6 -> loadSixBits(source, at, out, count);
            case 8 -> {
                for (int i = 0; i < count; i++) {
                    out[i] = source.get(JAVA_BYTE, at + i) & 0xFF;
                }
            }
            case 16 -> {
                for (int i = 0; i < count; i++) {
                    out[i] = source.get(JAVA_SHORT_UNALIGNED, at + 2L * i) & 0xFFFF;
                }
            }
            case 32 -> {
                for (int i = 0; i < count; i++) {
                    out[i] = source.get(JAVA_INT_UNALIGNED, at + 4L * i) & 0xFFFF_FFFFL;
                }
            }
            case 64 -> MemorySegment.copy(source, JAVA_LONG_UNALIGNED, at, out, 0, count);
            default -> throw new AssertionError(bits);
        }
    }

    /// Reads `count` integers of 16 to 64 bits; those of U64 as they are, all others with their value.
    static void loadIntegers(DType from, MemorySegment source, long at, long[] out, int count) {
        switch (from) {
            case I16 -> {
                for (int i = 0; i < count; i++) {
                    out[i] = source.get(JAVA_SHORT_UNALIGNED, at + 2L * i);
                }
            }
            case I32 -> {
                for (int i = 0; i < count; i++) {
                    out[i] = source.get(JAVA_INT_UNALIGNED, at + 4L * i);
                }
            }
            case U16, U32, I64, U64 -> load(from.bits(), source, at, out, count);
            default -> throw new AssertionError(from);
        }
    }

    private static void loadSixBits(MemorySegment source, long at, long[] out, int count) {
        long byteAt = at;
        for (int i = 0; i < count; i += 4) {
            int four = (source.get(JAVA_BYTE, byteAt) & 0xFF) | (source.get(JAVA_BYTE, byteAt + 1) & 0xFF) << 8
                    | (source.get(JAVA_BYTE, byteAt + 2) & 0xFF) << 16;
            out[i] = four & 0x3F;
            out[i + 1] = four >> 6 & 0x3F;
            out[i + 2] = four >> 12 & 0x3F;
            out[i + 3] = four >> 18;
            byteAt += 3;
        }
    }

    /// Writes `count` elements; bits beyond an element's are zero.
    static void store(int bits, long[] in, MemorySegment target, long at, int count) {
        switch (bits) {
            case 4 -> {
                for (int i = 0; i < count; i += 2) {
                    target.set(JAVA_BYTE, at + (i >> 1), (byte) (in[i] | in[i + 1] << 4));
                }
            }
            case 6 -> storeSixBits(in, target, at, count);
            case 8 -> {
                for (int i = 0; i < count; i++) {
                    target.set(JAVA_BYTE, at + i, (byte) in[i]);
                }
            }
            case 16 -> {
                for (int i = 0; i < count; i++) {
                    target.set(JAVA_SHORT_UNALIGNED, at + 2L * i, (short) in[i]);
                }
            }
            case 32 -> {
                for (int i = 0; i < count; i++) {
                    target.set(JAVA_INT_UNALIGNED, at + 4L * i, (int) in[i]);
                }
            }
            case 64 -> MemorySegment.copy(in, 0, target, JAVA_LONG_UNALIGNED, at, count);
            default -> throw new AssertionError(bits);
        }
    }

    private static void storeSixBits(long[] in, MemorySegment target, long at, int count) {
        long byteAt = at;
        for (int i = 0; i < count; i += 4) {
            int four = (int) (in[i] | in[i + 1] << 6 | in[i + 2] << 12 | in[i + 3] << 18);
            target.set(JAVA_BYTE, byteAt, (byte) four);
            target.set(JAVA_BYTE, byteAt + 1, (byte) (four >> 8));
            target.set(JAVA_BYTE, byteAt + 2, (byte) (four >> 16));
            byteAt += 3;
        }
    }
}
