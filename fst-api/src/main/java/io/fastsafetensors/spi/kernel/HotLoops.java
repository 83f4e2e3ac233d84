package io.fastsafetensors.spi.kernel;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import java.lang.foreign.MemorySegment;

/// The loops of the common pairs, over int arrays without branches. C2 turns each into vector code as it stands:
/// loops that also change the width of the elements, or shift each by another count, it leaves scalar; so widening,
/// narrowing and arithmetic are loops of their own.
final class HotLoops {
    private static final int MAGNITUDE = 0x7FFF_FFFF;
    private static final int INFINITY = 0x7F80_0000;
    private static final int QUIET = 0x0040_0000;

    private HotLoops() {
    }

    /// 16-bit elements, sign-extended.
    static void loadShorts(MemorySegment source, long at, int[] lanes, int count) {
        for (int i = 0; i < count; i++) {
            lanes[i] = source.get(JAVA_SHORT_UNALIGNED, at + 2L * i);
        }
    }

    static void loadInts(MemorySegment source, long at, int[] lanes, int count) {
        for (int i = 0; i < count; i++) {
            lanes[i] = source.get(JAVA_INT_UNALIGNED, at + 4L * i);
        }
    }

    /// What the table of 256 says of each byte.
    static void loadBytes(MemorySegment source, long at, int[] table, int[] lanes, int count) {
        for (int i = 0; i < count; i++) {
            lanes[i] = table[source.get(JAVA_BYTE, at + i) & 0xFF];
        }
    }

    static void storeBytes(int[] lanes, MemorySegment target, long at, int count) {
        for (int i = 0; i < count; i++) {
            target.set(JAVA_BYTE, at + i, (byte) lanes[i]);
        }
    }

    static void storeShorts(int[] lanes, MemorySegment target, long at, int count) {
        for (int i = 0; i < count; i++) {
            target.set(JAVA_SHORT_UNALIGNED, at + 2L * i, (short) lanes[i]);
        }
    }

    static void storeInts(int[] lanes, MemorySegment target, long at, int count) {
        for (int i = 0; i < count; i++) {
            target.set(JAVA_INT_UNALIGNED, at + 4L * i, lanes[i]);
        }
    }

    /// BF16, in the low half of each lane → F32.
    static void bf16ToF32(int[] lanes, int count) {
        for (int i = 0; i < count; i++) {
            int x = lanes[i] << 16;
            int nan = (INFINITY - (x & MAGNITUDE)) >> 31;
            lanes[i] = x | (nan & QUIET);
        }
    }

    /// F32 from memory → BF16, in the low half of each lane.
    static void loadF32AsBf16(MemorySegment source, long at, int[] lanes, int count) {
        for (int i = 0; i < count; i++) {
            lanes[i] = bf16(source.get(JAVA_INT_UNALIGNED, at + 4L * i));
        }
    }

    /// F32 → BF16, in the low half of each lane.
    static void f32ToBf16(int[] lanes, int count) {
        for (int i = 0; i < count; i++) {
            lanes[i] = bf16(lanes[i]);
        }
    }

    private static int bf16(int x) {
        int top = x >>> 16;
        int nan = (INFINITY - (x & MAGNITUDE)) >> 31;
        int rounded = (x + 0x7FFF + (top & 1)) >>> 16;
        return (rounded & ~nan) | ((top | 0x40) & nan);
    }

    /// F16, in the low half of each of [Scratch#lanes] → F32.
    static void f16ToF32(Scratch scratch, int count) {
        int[] lanes = scratch.lanes;
        int[] subnormals = scratch.other;
        float[] floats = scratch.floats;
        for (int i = 0; i < count; i++) {
            // Exact, and no float here is subnormal, so a flush-to-zero mode set by foreign code changes nothing.
            floats[i] = (lanes[i] & 0x3FF) * 0x1p-24f;
        }
        scratch.floatsToOther(count);
        for (int i = 0; i < count; i++) {
            int x = lanes[i] << 16;
            // The mantissa where F32 has it.
            int magnitude = (x & MAGNITUDE) >>> 3;
            int subnormal = (magnitude - 0x0080_0000) >> 31;
            int special = (0x0F7F_FFFF - magnitude) >> 31;
            int nan = (0x0F80_0000 - magnitude) >> 31;
            int normal = magnitude + 0x3800_0000;
            lanes[i] = (normal & ~subnormal) | (subnormals[i] & subnormal) | (special & INFINITY) | (nan & QUIET)
                    | (x & Integer.MIN_VALUE);
        }
    }

    /// F64 from memory → F32. Scalar: its subnormals need a shift of their own each.
    static void loadF64AsF32(MemorySegment source, long at, int[] lanes, int count) {
        for (int i = 0; i < count; i++) {
            lanes[i] = f32(source.get(JAVA_LONG_UNALIGNED, at + 8L * i));
        }
    }

    private static int f32(long x) {
        long magnitude = x & ~Binary64.SIGN;
        long bits;
        if (magnitude >= 0x3810_0000_0000_0000L && magnitude < 0x47F0_0000_0000_0000L) {
            bits = (magnitude - 0x3800_0000_0000_0000L + 0xFFF_FFFFL + (magnitude >>> 29 & 1)) >>> 29;
        } else if (magnitude > Binary64.INFINITY) {
            bits = (magnitude >>> 29 & 0x3F_FFFF) | INFINITY | QUIET;
        } else if (magnitude >= 0x47F0_0000_0000_0000L) {
            bits = INFINITY;
        } else {
            bits = Rounding.shiftRight(Binary64.significand(x), 926 - (int) (magnitude >>> 52));
        }
        return (int) (bits | (x >>> 32 & 0x8000_0000L));
    }
}
