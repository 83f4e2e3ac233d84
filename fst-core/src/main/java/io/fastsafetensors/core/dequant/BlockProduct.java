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

    /// Elements that are multiplied together; an even number.
    private static final int CHUNK = 2048;
    private static final ThreadLocal<Scratch> SCRATCH = ThreadLocal.withInitial(Scratch::new);

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
        Scratch scratch = SCRATCH.get();
        long beyond = 0;
        for (long done = 0; done < count; done += CHUNK) {
            int chunk = (int) Math.min(CHUNK, count - done);
            if (from == DType.F4) {
                nibbles(source, sourceAt + done / 2, table, scratch.values, chunk);
            } else {
                bytes(source, sourceAt + done, table, scratch.values, chunk);
            }
            for (int at = 0; at < chunk;) {
                long element = first + done + at;
                int run = (int) Math.min(grid.run(element), chunk - at);
                float scale = scales.getAtIndex(FLOAT, grid.scaleOf(element) - firstScale);
                if (mayOverflow(scale)) {
                    beyond += beyond(scratch.values, at, at + run, scale, overflowBits());
                }
                scale(scratch.values, at, at + run, scale);
                at += run;
            }
            round(scratch, chunk);
            store(scratch.bits, target, targetAt + done * to.bits() / 8, chunk);
        }
        if (beyond > 0) {
            overflows.add(beyond);
        }
    }

    /// One thread's arrays for one chunk, small enough for the first-level cache. Each step is a loop of its own: C2 makes
    /// vector code of loops that do one thing with elements of one width.
    private static final class Scratch {
        private final float[] values = new float[CHUNK];
        private final int[] bits = new int[CHUNK];
        private final short[] halves = new short[CHUNK];
        private final MemorySegment valuesView = MemorySegment.ofArray(values);
        private final MemorySegment bitsView = MemorySegment.ofArray(bits);
    }

    private static void bytes(MemorySegment source, long at, float[] table, float[] values, int count) {
        for (int i = 0; i < count; i++) {
            values[i] = table[source.get(ValueLayout.JAVA_BYTE, at + i) & 0xFF];
        }
    }

    /// The first element is in the low half of a byte; the last byte may have one element only.
    private static void nibbles(MemorySegment source, long at, float[] table, float[] values, int count) {
        for (int i = 0; i < count >> 1; i++) {
            int pair = source.get(ValueLayout.JAVA_BYTE, at + i);
            values[2 * i] = table[pair & 0xF];
            values[2 * i + 1] = table[pair >> 4 & 0xF];
        }
        if ((count & 1) != 0) {
            values[count - 1] = table[source.get(ValueLayout.JAVA_BYTE, at + (count >> 1)) & 0xF];
        }
    }

    private static void scale(float[] values, int from, int to, float scale) {
        for (int i = from; i < to; i++) {
            values[i] *= scale;
        }
    }

    /// @return how many finite products of these values are beyond the result's numbers
    private static int beyond(float[] values, int from, int to, float scale, int limit) {
        int beyond = 0;
        for (int i = from; i < to; i++) {
            beyond += beyond(Float.floatToRawIntBits(values[i] * scale), limit, values[i], scale);
        }
        return beyond;
    }

    /// The products as elements of the result, in the low bits of each lane. Every NaN becomes the same one, as on every
    /// backend.
    private void round(Scratch scratch, int count) {
        MemorySegment.copy(scratch.valuesView, 0, scratch.bitsView, 0, (long) count * Float.BYTES);
        switch (to) {
            case BF16 -> bf16(scratch.bits, count);
            case F16 -> {
                f16(scratch.values, scratch.halves, count);
                f16Nan(scratch.halves, scratch.bits, count);
            }
            default -> f32(scratch.bits, count);
        }
    }

    private void store(int[] bits, MemorySegment target, long at, int count) {
        if (to == DType.F32) {
            MemorySegment.copy(bits, 0, target, INT, at, count);
        } else {
            shorts(bits, target, at, count);
        }
    }

    private static void shorts(int[] bits, MemorySegment target, long at, int count) {
        for (int i = 0; i < count; i++) {
            target.set(SHORT, at + 2L * i, (short) bits[i]);
        }
    }

    private static int beyond(int bits, int limit, float value, float scale) {
        int magnitude = bits & MAGNITUDE;
        return magnitude >= limit && magnitude <= INFINITY && Float.isFinite(value) && Float.isFinite(scale) ? 1 : 0;
    }

    private static void f32(int[] bits, int count) {
        for (int i = 0; i < count; i++) {
            int nan = (INFINITY - (bits[i] & MAGNITUDE)) >> 31;
            bits[i] = (bits[i] & ~nan) | (QUIET_NAN & nan);
        }
    }

    /// Round to nearest, ties to even, by adding half of what is cut off.
    private static void bf16(int[] bits, int count) {
        for (int i = 0; i < count; i++) {
            int x = bits[i];
            int nan = (INFINITY - (x & MAGNITUDE)) >> 31;
            bits[i] = ((x + 0x7FFF + (x >>> 16 & 1)) >>> 16 & ~nan) | (BF16_NAN & nan);
        }
    }

    /// The JDK's conversion rounds to nearest, ties to even; of a NaN it makes one thing or another.
    private static void f16(float[] values, short[] halves, int count) {
        for (int i = 0; i < count; i++) {
            halves[i] = Float.floatToFloat16(values[i]);
        }
    }

    private static void f16Nan(short[] halves, int[] bits, int count) {
        for (int i = 0; i < count; i++) {
            int nan = (INFINITY - (bits[i] & MAGNITUDE)) >> 31;
            bits[i] = (halves[i] & ~nan) | (F16_NAN & nan);
        }
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
