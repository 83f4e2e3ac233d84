package io.fastsafetensors.backend.cpu.kernels;

import io.fastsafetensors.types.DType;
import java.util.random.RandomGenerator;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Elements of 32 and 64 bits: random ones, and all that lie at or next to where a target's rounding changes.
class WideConversionTest {
    private static final int RANDOM = 20_000;

    private final RandomGenerator random = Seed.generator();

    @ParameterizedTest
    @EnumSource(value = DType.class, names = {"F32", "F64"})
    @Tag("slow")
    void floats_convert(DType from) {
        try (Desk desk = new Desk()) {
            for (DType to : Desk.CONVERTIBLE) {
                desk.check(from, randomFloats(from), to);
                desk.check(from, Oracle.isNarrowFloat(to) ? aroundPoints(from, to) : aroundSteps(from, to), to);
            }
        }
    }

    @ParameterizedTest
    @EnumSource(value = DType.class, names = {"I32", "U32", "I64", "U64"})
    @Tag("slow")
    void integers_convert(DType from) {
        try (Desk desk = new Desk()) {
            for (DType to : Desk.CONVERTIBLE) {
                desk.check(from, integers(from), to);
            }
        }
    }

    /// Any bits, ordinary numbers, NaN of every payload, subnormals.
    private long[] randomFloats(DType from) {
        long ones = -1L >>> (64 - from.bits());
        long mantissa = from == DType.F64 ? (1L << 52) - 1 : (1L << 23) - 1;
        long infinity = ones >>> 1 & ~mantissa;
        long sign = ones & ~(ones >>> 1);
        LongStream.Builder out = LongStream.builder();
        for (long corner : new long[] {0, 1, mantissa, mantissa + 1, infinity - 1, infinity, infinity + 1,
            ones >>> 1}) {
            out.add(corner).add(corner | sign);
        }
        for (int i = 0; i < RANDOM; i++) {
            out.add(random.nextLong() & ones).add(bits(from, random.nextGaussian() * Math.scalb(1, i % 80 - 40)))
                    .add((random.nextLong() & (mantissa | sign)) | infinity)
                    .add((random.nextLong() & (mantissa | sign)) >>> (i % 52) & (mantissa | sign));
        }
        return out.build().toArray();
    }

    /// Each number of the target, each middle between two, and the source's neighbours of both.
    private static long[] aroundPoints(DType from, DType to) {
        LongStream.Builder out = LongStream.builder();
        double[] points = Oracle.of(to).points;
        for (int i = 0; i < points.length; i++) {
            double next = i + 1 < points.length ? points[i + 1] : points[i] + (points[i] - points[i - 1]);
            addAround(out, from, points[i]);
            addAround(out, from, points[i] + (next - points[i]) / 2);
        }
        addAround(out, from, points[points.length - 1] * 4);
        addAround(out, from, points[0] / 2);
        return out.build().toArray();
    }

    /// Halves around integers up to 2^64, and middles between two F32.
    private long[] aroundSteps(DType from, DType to) {
        LongStream.Builder out = LongStream.builder();
        for (int i = 0; i < RANDOM / 4; i++) {
            addAround(out, from, Math.rint(Math.scalb(random.nextDouble(), i % 20)) + 0.5);
            addAround(out, from, Math.scalb(1, i % 66) - (i & 1) / 2.0);
            float f = Float.intBitsToFloat(random.nextInt(0x7F80_0000));
            addAround(out, from, f + ((double) Math.nextUp(f) - f) / 2);
            addAround(out, from, f * (double) Float.MIN_VALUE);
        }
        addAround(out, from, 0x1.ffffffp127);
        addAround(out, from, 0x1p-150);
        return out.build().toArray();
    }

    private static void addAround(LongStream.Builder out, DType from, double value) {
        for (double signed : new double[] {value, -value}) {
            for (long near = -1; near <= 1; near++) {
                out.add(bits(from, signed) + near & -1L >>> (64 - from.bits()));
            }
        }
    }

    private static long bits(DType from, double value) {
        return from == DType.F64 ? Double.doubleToRawLongBits(value)
                : Float.floatToRawIntBits((float) value) & 0xFFFF_FFFFL;
    }

    /// Random ones of every length, the ends of ranges, and long runs of zeros behind a half, where rounding twice goes
    /// wrong.
    private long[] integers(DType from) {
        long ones = -1L >>> (64 - from.bits());
        LongStream.Builder out = LongStream.builder();
        for (int shift = 0; shift < from.bits(); shift++) {
            for (long near = -3; near <= 3; near++) {
                out.add((1L << shift) + near & ones).add(-(1L << shift) + near & ones);
            }
            for (int half = 0; half < shift; half++) {
                for (long near = -1; near <= 1; near++) {
                    long number = (1L << shift) + (random.nextLong() >>> (64 - shift) >>> half + 1 << half + 1)
                            + (1L << half) + near;
                    out.add(number & ones).add(-number & ones);
                }
            }
        }
        for (int i = 0; i < RANDOM; i++) {
            out.add(random.nextLong() & ones).add(random.nextLong() >>> i % 64 & ones);
        }
        return out.build().toArray();
    }
}
