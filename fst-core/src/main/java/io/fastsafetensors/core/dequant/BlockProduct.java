package io.fastsafetensors.core.dequant;

import io.fastsafetensors.spi.ScaleGrid;
import io.fastsafetensors.types.DType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.concurrent.atomic.LongAdder;

/// Multiplies quantised elements by the scales of their blocks, on the host, by the rule of
/// [io.fastsafetensors.spi.Kernels#dequantize]: product of F32, rounded to F32, then to the result. Immutable.
///
/// Every backend and the testkit's reference compute the same bits: elements are looked up as F32, multiplied once,
/// rounded once. A fused or wider product would differ.
final class BlockProduct {
    private static final ValueLayout.OfInt INT =
            ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int QUIET_NAN = 0x7FC0_0000;
    private static final int BF16_NAN = 0x7FC0;
    private static final int F16_NAN = 0x7E00;
    private static final int MAGNITUDE = 0x7FFF_FFFF;
    private static final int INFINITY = 0x7F80_0000;
    /// The F32 from which on a finite number rounds to infinity.
    private static final int BF16_OVERFLOW = 0x7F7F_8000;
    private static final int F16_OVERFLOW = 0x477F_F000;

    private final DType from;
    private final DType to;
    private final float[] table;
    /// The largest magnitude of an element: where its product fits, every product does.
    private final float largest;

    /// @param from what the elements are; see [io.fastsafetensors.spi.Kernels#dequantizes(DType, DType)]
    /// @param to BF16, F16 or F32
    BlockProduct(DType from, DType to) {
        this.from = from;
        this.to = to;
        this.table = table(from);
        this.largest = largest(table);
    }

    /// The largest magnitude that an element can have.
    private static float largest(float[] table) {
        float largest = 0;
        for (float value : table) {
            largest = Float.isFinite(value) ? Math.max(largest, Math.abs(value)) : largest;
        }
        return largest;
    }

    /// Whether the product of the largest element and this scale is beyond the result's numbers.
    boolean mayOverflow(float scale) {
        int bits = Float.floatToRawIntBits(scale * largest) & MAGNITUDE;
        return bits >= overflowBits() && Float.isFinite(scale);
    }

    /// The magnitude, as the bits of an F32, from which on a number becomes infinite in the result.
    private int overflowBits() {
        return switch (to) {
            case BF16 -> BF16_OVERFLOW;
            case F16 -> F16_OVERFLOW;
            default -> INFINITY;
        };
    }

    /// Multiplies.
    ///
    /// @param source the elements, the first one in the first bits of byte `sourceAt`
    /// @param scales F32, from scale number `firstScale` of the tensor on
    /// @param first the index of the first element in the tensor
    /// @param count how many
    /// @param overflows counts the products of finite factors that became infinite
    void multiply(MemorySegment source, long sourceAt, MemorySegment scales, long firstScale, ScaleGrid grid,
            long first,
            MemorySegment target, long targetAt, long count, LongAdder overflows) {
        long beyond = 0;
        for (long done = 0; done < count;) {
            int run = (int) Math.min(Math.min(grid.run(first + done), count - done), 1 << 20);
            float scale = scales.getAtIndex(FLOAT, grid.scaleOf(first + done) - firstScale);
            long out = targetAt + done * to.bits() / 8;
            beyond += from == DType.F4 ? nibbles(source, sourceAt, done, scale, target, out, run)
                    : bytes(source, sourceAt + done, scale, target, out, run);
            done += run;
        }
        if (beyond > 0) {
            overflows.add(beyond);
        }
    }

    /// One loop for each result, so that what the result is is not asked for each element.
    ///
    /// @return how many finite products became infinite
    private int bytes(MemorySegment source, long at, float scale, MemorySegment target, long out, int run) {
        int beyond = 0;
        switch (to) {
            case BF16 -> {
                for (int i = 0; i < run; i++) {
                    float value = table[source.get(ValueLayout.JAVA_BYTE, at + i) & 0xFF];
                    int bits = Float.floatToRawIntBits(value * scale);
                    target.set(SHORT, out + 2L * i, bf16(bits));
                    beyond += beyond(bits, BF16_OVERFLOW, value, scale);
                }
            }
            case F16 -> {
                for (int i = 0; i < run; i++) {
                    float value = table[source.get(ValueLayout.JAVA_BYTE, at + i) & 0xFF];
                    int bits = Float.floatToRawIntBits(value * scale);
                    target.set(SHORT, out + 2L * i, f16(bits));
                    beyond += beyond(bits, F16_OVERFLOW, value, scale);
                }
            }
            default -> {
                for (int i = 0; i < run; i++) {
                    float value = table[source.get(ValueLayout.JAVA_BYTE, at + i) & 0xFF];
                    int bits = Float.floatToRawIntBits(value * scale);
                    target.set(INT, out + 4L * i, f32(bits));
                    beyond += beyond(bits, INFINITY, value, scale);
                }
            }
        }
        return beyond;
    }

    /// The first element is in the low half of a byte.
    ///
    /// @return how many finite products became infinite
    private int nibbles(MemorySegment source, long at, long firstNibble, float scale, MemorySegment target, long out,
            int run) {
        int beyond = 0;
        for (int i = 0; i < run; i++) {
            long nibble = firstNibble + i;
            int pair = source.get(ValueLayout.JAVA_BYTE, at + (nibble >>> 1));
            int code = (pair >>> (int) ((nibble & 1) * 4)) & 0xF;
            float value = table[code];
            int bits = Float.floatToRawIntBits(value * scale);
            switch (to) {
                case BF16 -> target.set(SHORT, out + 2L * i, bf16(bits));
                case F16 -> target.set(SHORT, out + 2L * i, f16(bits));
                default -> target.set(INT, out + 4L * i, f32(bits));
            }
            beyond += beyond(bits, overflowBits(), value, scale);
        }
        return beyond;
    }

    private static int beyond(int bits, int limit, float value, float scale) {
        int magnitude = bits & MAGNITUDE;
        return magnitude >= limit && magnitude <= INFINITY && Float.isFinite(value) && Float.isFinite(scale) ? 1 : 0;
    }

    /// Every NaN becomes the same one, as on every backend.
    private static int f32(int bits) {
        return (bits & MAGNITUDE) > INFINITY ? QUIET_NAN : bits;
    }

    /// Round to nearest, ties to even, by adding half of what is cut off.
    private static short bf16(int bits) {
        return (short) ((bits & MAGNITUDE) > INFINITY ? BF16_NAN : (bits + 0x7FFF + ((bits >>> 16) & 1)) >>> 16);
    }

    /// The JDK's conversion rounds to nearest, ties to even; of a NaN it makes one thing or another.
    private static short f16(int bits) {
        return (bits & MAGNITUDE) > INFINITY ? F16_NAN : Float.floatToFloat16(Float.intBitsToFloat(bits));
    }

    /// The value of each code of a dtype of at most eight bits, as F32, which has them all.
    static float[] table(DType dtype) {
        float[] values = new float[1 << dtype.bits()];
        for (int code = 0; code < values.length; code++) {
            values[code] = switch (dtype) {
                case F4 -> number(code, 4, 1, 1);
                case F8_E4M3 -> (code & 0x7F) == 0x7F ? Float.NaN : number(code, 8, 3, 7);
                case F8_E5M2 -> (code & 0x7C) != 0x7C ? number(code, 8, 2, 15)
                        : (code & 3) != 0 ? Float.NaN
                                : code < 0x80 ? Float.POSITIVE_INFINITY : Float.NEGATIVE_INFINITY;
                case F8_E4M3FNUZ -> code == 0x80 ? Float.NaN : number(code, 8, 3, 8);
                case F8_E5M2FNUZ -> code == 0x80 ? Float.NaN : number(code, 8, 2, 16);
                case F8_E8M0 -> code == 0xFF ? Float.NaN : (float) Math.scalb(1.0, code - 127);
                case I8 -> (byte) code;
                default -> throw new IllegalArgumentException(dtype + " has more than eight bits, or no table");
            };
        }
        return values;
    }

    /// Codes with exponent 0 are subnormal, as IEEE 754 has it.
    private static float number(int code, int bits, int mantissaBits, int bias) {
        int magnitude = code & ((1 << (bits - 1)) - 1);
        int exponent = magnitude >>> mantissaBits;
        int fraction = magnitude & ((1 << mantissaBits) - 1);
        int significand = exponent == 0 ? fraction : fraction | (1 << mantissaBits);
        float value = (float) Math.scalb((double) significand, Math.max(exponent, 1) - bias - mantissaBits);
        return code >>> (bits - 1) == 0 ? value : -value;
    }
}
