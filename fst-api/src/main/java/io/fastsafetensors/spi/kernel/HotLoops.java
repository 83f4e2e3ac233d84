package io.fastsafetensors.spi.kernel;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import io.fastsafetensors.types.DType;
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

    /// F32, or F16 or BF16 as F32, which has all of their values.
    static void loadFloats(DType from, Scratch scratch, MemorySegment source, long at, int count) {
        switch (from) {
            case F32 -> loadInts(source, at, scratch.lanes, count);
            case BF16 -> {
                loadShorts(source, at, scratch.lanes, count);
                bf16ToF32(scratch.lanes, count);
            }
            case F16 -> {
                loadShorts(source, at, scratch.lanes, count);
                f16ToF32(scratch, count);
            }
            default -> throw new AssertionError(from);
        }
    }

    /// An even number of them.
    static void storeNibbles(int[] lanes, MemorySegment target, long at, int count) {
        for (int i = 0; i < count >> 1; i++) {
            target.set(JAVA_BYTE, at + i, (byte) (lanes[2 * i] | lanes[2 * i + 1] << 4));
        }
    }

    /// Four to three bytes; a multiple of four.
    static void storeSixBits(int[] lanes, MemorySegment target, long at, int count) {
        for (int i = 0; i < count >> 2; i++) {
            int four = lanes[4 * i] | lanes[4 * i + 1] << 6 | lanes[4 * i + 2] << 12 | lanes[4 * i + 3] << 18;
            target.set(JAVA_SHORT_UNALIGNED, at + 3L * i, (short) four);
            target.set(JAVA_BYTE, at + 3L * i + 2, (byte) (four >> 16));
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

    /// F64 from memory → F32, rounded to odd. See [HotConversion].
    static void loadF64AsOddF32(MemorySegment source, long at, int[] lanes, int count) {
        for (int i = 0; i < count; i++) {
            lanes[i] = oddF32(source.get(JAVA_LONG_UNALIGNED, at + 8L * i));
        }
    }

    /// The bits of an F64 → those of an F32. Finite numbers stay finite: what is too large becomes the largest, which is odd.
    private static int oddF32(long x) {
        long magnitude = x & ~Binary64.SIGN;
        long bits;
        if (magnitude >= 0x3810_0000_0000_0000L && magnitude < 0x47F0_0000_0000_0000L) {
            bits = (magnitude - 0x3800_0000_0000_0000L) >>> 29 | ((magnitude & 0x1FFF_FFFF) + 0x1FFF_FFFF) >>> 29;
        } else if (magnitude >= Binary64.INFINITY) {
            bits = f32(magnitude);
        } else if (magnitude >= 0x47F0_0000_0000_0000L) {
            bits = INFINITY - 1;
        } else {
            bits = Rounding.oddShiftRight(Binary64.significand(x), 926 - (int) (magnitude >>> 52));
        }
        return (int) (bits | (x >>> 32 & 0x8000_0000L));
    }

    /// Integers of 16 to 64 bits → F32, rounded to odd; those of 16 bits are F32 anyway. See [HotConversion].
    static void loadIntegersAsOddF32(DType from, Scratch scratch, MemorySegment source, long at, int count) {
        switch (from) {
            case I16, U16 -> {
                loadShorts(source, at, scratch.lanes, count);
                toFloats(scratch.lanes, from == DType.U16 ? 0xFFFF : -1, scratch.floats, count);
                scratch.floatsToLanes(count);
            }
            default -> {
                Packing.loadIntegers(from, source, at, scratch.wide, count);
                oddFloats(scratch.wide, from == DType.U64 ? 0 : -1, scratch.floats, scratch.lanes, count);
                scale(scratch, count);
            }
        }
    }

    private static void toFloats(int[] lanes, int mask, float[] floats, int count) {
        for (int i = 0; i < count; i++) {
            floats[i] = lanes[i] & mask;
        }
    }

    /// The leading 24 bits of each magnitude, rounded to odd, as floats; sign and exponent of what is cut off stay in the
    /// lanes.
    ///
    /// @param signed all ones if they are
    private static void oddFloats(long[] wide, long signed, float[] floats, int[] lanes, int count) {
        for (int i = 0; i < count; i++) {
            long x = wide[i];
            long negative = x >> 63 & signed;
            long magnitude = (x ^ negative) - negative;
            int shift = Math.max(0, 40 - Long.numberOfLeadingZeros(magnitude));
            long lost = magnitude & ((1L << shift) - 1);
            floats[i] = (int) (magnitude >>> shift | (lost | -lost) >>> 63);
            lanes[i] = shift << 23 | ((int) negative & Integer.MIN_VALUE);
        }
    }

    /// Puts floats, and what was cut off of their exponents and signs, together. Zero was not shifted.
    private static void scale(Scratch scratch, int count) {
        scratch.floatsToOther(count);
        int[] lanes = scratch.lanes;
        int[] bits = scratch.other;
        for (int i = 0; i < count; i++) {
            lanes[i] += bits[i];
        }
    }

    /// I16, U16, I32 or I64 → F32, rounded as Java does.
    static void loadIntegersAsF32(DType from, Scratch scratch, MemorySegment source, long at, int count) {
        switch (from) {
            case I16, U16 -> {
                loadShorts(source, at, scratch.lanes, count);
                toFloats(scratch.lanes, from == DType.U16 ? 0xFFFF : -1, scratch.floats, count);
            }
            case I32 -> {
                loadInts(source, at, scratch.lanes, count);
                toFloats(scratch.lanes, -1, scratch.floats, count);
            }
            default -> {
                Packing.loadIntegers(from, source, at, scratch.wide, count);
                toFloats(scratch.wide, scratch.floats, count);
            }
        }
        scratch.floatsToLanes(count);
    }

    private static void toFloats(long[] wide, float[] floats, int count) {
        for (int i = 0; i < count; i++) {
            floats[i] = wide[i];
        }
    }

    /// F32 → F8_E8M0, in the low byte of each lane: the exponent, rounded by the mantissa; see [io.fastsafetensors.spi.Kernels].
    static void f32ToE8m0(int[] lanes, int count) {
        for (int i = 0; i < count; i++) {
            int magnitude = lanes[i] & MAGNITUDE;
            int subnormal = (magnitude - 0x0080_0000) >> 31;
            int special = (INFINITY - 1 - magnitude) >> 31;
            // 2^-127, the smallest result, is subnormal in F32.
            int small = (0x0060_0000 - magnitude) >>> 31;
            int normal = (magnitude + 0x3F_FFFF + (magnitude >>> 23 & 1)) >>> 23;
            int code = Math.min((normal & ~subnormal) | (small & subnormal), 0xFE);
            lanes[i] = (code & ~special) | (0xFF & special);
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
