package io.fastsafetensors.testkit.reference;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.fastsafetensors.spi.Strided;
import io.fastsafetensors.testkit.fixture.Seed;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.lang.foreign.MemorySegment;
import java.util.function.LongUnaryOperator;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

class ScalarReferenceTest {
    private static final int ROUNDS = 200_000;
    private final RandomGenerator random = Seed.random("ScalarReferenceTest");

    @Test
    void floats_convert_as_java_casts_do() {
        each(DType.F64, DType.F32, raw -> bits((float) Double.longBitsToDouble(raw)));
        each(DType.F32, DType.F64,
                raw -> Double.doubleToRawLongBits(Float.intBitsToFloat((int) raw)));
        for (int code = 0; code < 0x10000; code++) {
            if ((code & 0x7FFF) <= 0x7C00) {
                assertEquals(bits(Float.float16ToFloat((short) code)), convert(DType.F16, code, DType.F32));
                assertEquals(code, convert(DType.F32, bits(Float.float16ToFloat((short) code)), DType.F16));
            }
            if ((code & 0x7FFF) <= 0x7F80) {
                assertEquals((long) code << 16, convert(DType.BF16, code, DType.F32));
            }
        }
    }

    @Test
    void integers_convert_as_java_casts_do() {
        each(DType.I64, DType.F64, raw -> Double.doubleToRawLongBits((double) raw));
        each(DType.I64, DType.F32, raw -> bits((float) raw));
        each(DType.I32, DType.F32, raw -> bits((float) (int) raw));
        each(DType.U32, DType.F64, raw -> Double.doubleToRawLongBits((double) raw));
        each(DType.F64, DType.I64, raw -> (long) Math.rint(Double.longBitsToDouble(raw)));
        each(DType.F64, DType.I32, raw -> (int) Math.rint(Double.longBitsToDouble(raw)) & 0xFFFFFFFFL);
        each(DType.I64, DType.I8, raw -> Math.clamp(raw, -128, 127) & 0xFF);
        each(DType.I64, DType.U16, raw -> Math.clamp(raw, 0, 65_535));
        each(DType.U64, DType.I64, raw -> raw < 0 ? Long.MAX_VALUE : raw);
    }

    @Test
    void unsigned64_converts_exactly() {
        assertEquals(0x43F0000000000000L, convert(DType.U64, -1, DType.F64));
        assertEquals(0x43E0000000000000L, convert(DType.U64, Long.MIN_VALUE + 1024, DType.F64), "a tie, to even");
        assertEquals(0x43E0000000000001L, convert(DType.U64, Long.MIN_VALUE + 1025, DType.F64));
        assertEquals(bits(0x1.000002p63f), convert(DType.U64, Long.MIN_VALUE + (1L << 39) + 1, DType.F32));
        assertEquals(-1, convert(DType.F64, Double.doubleToRawLongBits(1e300), DType.U64));
        assertEquals(0, convert(DType.F64, Double.doubleToRawLongBits(-1), DType.U64));
    }

    @Test
    void nan_keeps_sign_and_top_of_payload() {
        assertEquals(0xFFC00000L, convert(DType.F64, 0xFFF0000000000001L, DType.F32), "quiet, payload lost");
        assertEquals(0x7FD23456L, convert(DType.F64, 0x7FF2468AC0000000L, DType.F32), "quiet, payload kept");
        assertEquals(0x7FF8000020000000L, convert(DType.F32, 0x7F800001L, DType.F64));
        assertEquals(0xFE01L, convert(DType.F32, 0xFF802000L, DType.F16));
        assertEquals(0x7E, convert(DType.F16, 0x7C00 | 0x1, DType.F8_E5M2));
        assertEquals(0x7F, convert(DType.F16, 0x7C00 | 0x100, DType.F8_E5M2));
        assertEquals(0xFF, convert(DType.F32, 0xFFC00000L, DType.F8_E4M3));
        assertEquals(0x7FC00000L, convert(DType.F8_E4M3, 0x7F, DType.F32));
        assertEquals(0xFFC00000L, convert(DType.F8_E4M3, 0xFF, DType.F32));
        assertEquals(0x7FC00000L, convert(DType.F8_E5M2FNUZ, 0x80, DType.F32), "one NaN, without a sign");
        assertEquals(0x80, convert(DType.F32, 0xFFC00000L, DType.F8_E4M3FNUZ));
        assertEquals(0, convert(DType.F32, 0xFFC00000L, DType.F4), "no NaN: positive zero");
        assertEquals(0, convert(DType.F32, 0x7FC00000L, DType.I32));
        assertEquals(1, convert(DType.F32, 0x7FC00000L, DType.BOOL));
        assertEquals(0x7F800001L, convert(DType.F32, 0x7F800001L, DType.F32), "equal dtypes are copied");
    }

    @Test
    void narrow_floats_have_their_limits() {
        Object[][] limits = {{DType.F8_E4M3, 448.0, 0x7E}, {DType.F8_E4M3FNUZ, 240.0, 0x7F},
            {DType.F8_E5M2FNUZ, 57344.0, 0x7F}, {DType.F6_E2M3, 7.5, 0x1F}, {DType.F6_E3M2, 28.0, 0x1F},
            {DType.F4, 6.0, 0x7}};
        for (Object[] limit : limits) {
            DType dtype = (DType) limit[0];
            double largest = (Double) limit[1];
            int code = (Integer) limit[2];
            int sign = 1 << (dtype.bits() - 1);
            assertEquals(code, fromDouble(largest, dtype), dtype.name());
            assertEquals(Double.doubleToRawLongBits(largest), convert(dtype, code, DType.F64), dtype.name());
            assertEquals(code, fromDouble(largest * 100, dtype), dtype.name());
            assertEquals(code | sign, fromDouble(Double.NEGATIVE_INFINITY, dtype), dtype.name());
        }
        assertEquals(0x7C, fromDouble(61_440, DType.F8_E5M2), "the tie beyond the largest goes to infinity");
        assertEquals(0x7B, fromDouble(61_439, DType.F8_E5M2));
        assertEquals(0x7C00, fromDouble(65_520, DType.F16));
        assertEquals(0x7BFF, fromDouble(Math.nextDown(65_520.0), DType.F16));
        assertEquals(0, fromDouble(0x1p-25, DType.F16), "a tie, to even");
        assertEquals(1, fromDouble(Math.nextUp(0x1p-25), DType.F16));
        assertEquals(0x80, fromDouble(-0.0, DType.F8_E4M3));
        assertEquals(0, fromDouble(-0.0, DType.F8_E4M3FNUZ), "no negative zero");
        assertEquals(0, fromDouble(-1e-30, DType.F8_E5M2FNUZ), "no negative zero");
        assertEquals(0, convert(DType.F4, 0x8, DType.BOOL), "minus zero is zero");
    }

    @Test
    void ties_go_to_even() {
        double[][] ties = {{1.25, 1.0}, {1.75, 2.0}, {2.5, 2.0}, {3.5, 4.0}, {5.0, 4.0}, {0.25, 0.0}, {0.75, 1.0}};
        for (double[] tie : ties) {
            assertEquals(Double.doubleToRawLongBits(tie[1]),
                    convert(DType.F4, fromDouble(tie[0], DType.F4), DType.F64), () -> tie[0] + " to F4");
        }
        assertEquals(2, fromDouble(2.5, DType.I8));
        assertEquals(4, fromDouble(3.5, DType.I8));
        assertEquals(0xFE, fromDouble(-2.5, DType.I8));
        assertEquals(0, fromDouble(-0.5, DType.I8));
    }

    @Test
    void scales_are_nearest_powers_of_two() {
        assertEquals(127, fromDouble(1.0, DType.F8_E8M0));
        assertEquals(127, fromDouble(-1.0, DType.F8_E8M0), "of the magnitude");
        assertEquals(128, fromDouble(1.5, DType.F8_E8M0), "a tie, to the even code");
        assertEquals(128, fromDouble(3.0, DType.F8_E8M0), "a tie, to the even code");
        assertEquals(127, fromDouble(Math.nextDown(1.5), DType.F8_E8M0));
        assertEquals(129, fromDouble(Math.nextUp(3.0), DType.F8_E8M0));
        assertEquals(0, fromDouble(0.0, DType.F8_E8M0));
        assertEquals(0, fromDouble(1e-300, DType.F8_E8M0));
        assertEquals(254, fromDouble(1e300, DType.F8_E8M0));
        assertEquals(255, fromDouble(Double.POSITIVE_INFINITY, DType.F8_E8M0));
        assertEquals(0x00400000L, convert(DType.F8_E8M0, 0, DType.F32), "2^-127 is subnormal in F32");
        assertEquals(bits(0x1p127f), convert(DType.F8_E8M0, 254, DType.F32));
        assertEquals(1, convert(DType.F8_E8M0, 0, DType.BOOL), "there is no zero");
        assertEquals(10, Math.round(Double.longBitsToDouble(convert(DType.F8_E8M0, 137, DType.F64)) / 102.4));
    }

    @Test
    void complex_converts_only_to_itself() {
        assertEquals(0x1234567890ABCDEFL, convert(DType.C64, 0x1234567890ABCDEFL, DType.C64));
        assertThrows(IllegalArgumentException.class, () -> convert(DType.C64, 0, DType.F32));
        assertThrows(IllegalArgumentException.class, () -> convert(DType.F32, 0, DType.C64));
    }

    @Test
    void sub_byte_elements_are_packed_from_the_low_bits() {
        assertArrayEquals(new byte[] {0x21, 0x43}, Elements.pack(DType.F4, 1, 2, 3, 4));
        assertArrayEquals(new byte[] {(byte) 0x81, 0x30, 0x10}, Elements.pack(DType.F6_E2M3, 1, 2, 3, 4));
        MemorySegment packed = MemorySegment.ofArray(Elements.pack(DType.F6_E3M2, 63, 0, 42, 21));
        long[] read = new long[4];
        for (int i = 0; i < 4; i++) {
            read[i] = Elements.get(packed, DType.F6_E3M2, i);
        }
        assertArrayEquals(new long[] {63, 0, 42, 21}, read);
        assertThrows(ArithmeticException.class, () -> Elements.pack(DType.F4, 1, 2, 3));
    }

    @Test
    void gather_follows_strides() {
        MemorySegment source = MemorySegment.ofArray(new byte[] {0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
        byte[] target = new byte[6];
        ScalarReference.gather(source, DType.U8, new Strided(Shape.of(2, 3), 8, new long[] {-4, -1}),
                MemorySegment.ofArray(target), DType.U8);
        assertArrayEquals(new byte[] {8, 7, 6, 4, 3, 2}, target);
        byte[] scalar = new byte[2];
        ScalarReference.gather(source, DType.U8, new Strided(Shape.of(), 3, new long[0]),
                MemorySegment.ofArray(scalar), DType.F16);
        assertArrayEquals(new byte[] {0, 0x42}, scalar, "3 as F16");
        ScalarReference.gather(source, DType.U8, new Strided(Shape.of(0, 4), 0, new long[] {4, 1}),
                MemorySegment.ofArray(new byte[0]), DType.U8);
    }

    /// Compares random elements, NaN left out: what Java does with those is its own business.
    private void each(DType from, DType to, LongUnaryOperator java) {
        for (int i = 0; i < ROUNDS; i++) {
            long raw = (i % 2 == 0 ? random.nextLong() : random.nextLong() >> random.nextInt(64))
                    & -1L >>> (64 - from.bits());
            boolean nan = from == DType.F64 ? Double.isNaN(Double.longBitsToDouble(raw))
                    : from == DType.F32 && Float.isNaN(Float.intBitsToFloat((int) raw));
            if (!nan) {
                assertEquals(java.applyAsLong(raw), convert(from, raw, to),
                        () -> from + " 0x" + Long.toHexString(raw) + " to " + to + Seed.note());
            }
        }
    }

    private static long convert(DType from, long raw, DType to) {
        return ScalarReference.convert(from, raw, to);
    }

    private static long fromDouble(double value, DType to) {
        return convert(DType.F64, Double.doubleToRawLongBits(value), to);
    }

    private static long bits(float value) {
        return Float.floatToRawIntBits(value) & 0xFFFFFFFFL;
    }
}
