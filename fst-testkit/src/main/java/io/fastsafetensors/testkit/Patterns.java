package io.fastsafetensors.testkit;

import io.fastsafetensors.testkit.reference.ScalarReference;
import io.fastsafetensors.types.DType;
import java.util.Arrays;
import java.util.Set;
import java.util.random.RandomGenerator;
import java.util.stream.LongStream;

/// Raw elements worth converting: all of them where that is possible, else those where rounding, overflow and special
/// values are decided, and random ones.
final class Patterns {
    /// The mantissas of the float dtypes.
    private static final Set<Integer> TARGET_PRECISIONS = Set.of(1, 2, 3, 7, 10, 23, 52);

    private final DType from;
    private final long mask;
    private long[] values = new long[1024];
    private int count;

    private Patterns(DType from) {
        this.from = from;
        this.mask = -1L >>> (64 - from.bits());
    }

    /// The elements to convert from one dtype to another; their number is a multiple of 8, so that all fill bytes.
    static long[] of(DType from, DType to, RandomGenerator random, Effort effort) {
        Patterns patterns = new Patterns(from);
        if (from.bits() <= 16) {
            patterns.everyCode(effort);
        } else if (from.isFloat()) {
            patterns.floatSpecials(effort);
            patterns.aroundTargets(to, random, effort);
        } else {
            patterns.integers(effort);
        }
        patterns.random(random, from.bits() <= 8 ? 64 : effort == Effort.FULL ? 8192 : 256);
        while (patterns.count % 8 != 0) {
            patterns.add(random.nextLong());
        }
        return Arrays.copyOf(patterns.values, patterns.count);
    }

    private void add(long raw) {
        if (count == values.length) {
            values = Arrays.copyOf(values, 2 * count);
        }
        values[count++] = raw & mask;
    }

    /// Every code; of 16-bit ones in a quick run every 37th and the edges of each exponent.
    private void everyCode(Effort effort) {
        for (long code = 0; code <= mask; code++) {
            long place = code & 0x7F;
            if (effort == Effort.FULL || from.bits() < 16 || code % 37 == 0 || place < 2 || place == 0x7F) {
                add(code);
            }
        }
    }

    private void random(RandomGenerator random, int many) {
        for (int i = 0; i < many; i++) {
            long raw = random.nextLong();
            add(i % 2 == 0 ? raw : raw >>> random.nextInt(64));
        }
    }

    /// Powers of two, their neighbours, and ties of every precision.
    private void integers(Effort effort) {
        for (int k = 0; k < 64; k++) {
            for (long d = -3; d <= 3; d++) {
                addSigned((1L << k) + d);
            }
            for (int precision = 1; precision < k; precision++) {
                if (effort == Effort.QUICK && !TARGET_PRECISIONS.contains(precision)) {
                    continue;
                }
                long unit = 1L << (k - precision - 1);
                for (long d = -1; d <= 1; d++) {
                    addSigned((1L << k) + unit + d);
                    addSigned((1L << k) + 3 * unit + d);
                }
            }
        }
    }

    private void addSigned(long value) {
        add(value);
        add(-value);
    }

    private void floatSpecials(Effort effort) {
        int mantissa = from == DType.F64 ? 52 : 23;
        long sign = mask ^ mask >>> 1;
        long infinity = sign - (1L << mantissa);
        for (long at : new long[] {0, 1L << mantissa, infinity}) {
            for (long d = -3; d <= 3; d++) {
                addBoth(at + d);
            }
        }
        for (int bit = 0; bit < mantissa; bit++) {
            addBoth(infinity | 1L << bit);
            addBoth(infinity | (((1L << mantissa) - 1) ^ (1L << bit)));
        }
        long step = effort == Effort.FULL ? 1 : 9;
        for (long power = 0; power < infinity; power += step << mantissa) {
            addBoth(power - 1);
            addBoth(power);
            addBoth(power + 1);
            addBoth(power + (1L << (mantissa - 1)));
            addBoth(power + (1L << (mantissa - 1)) - 1);
            addBoth(power + (1L << (mantissa - 1)) + 1);
        }
        for (int k = 0; k <= 65; k++) {
            for (double d = -2; d <= 2; d += 0.25) {
                addAround(Math.scalb(1.0, k) + d);
            }
        }
        for (double half = 0.5; half < 300; half++) {
            addAround(half);
        }
    }

    /// Every value of a narrower float, and the middle between it and the next, where the tie is broken.
    private void aroundTargets(DType to, RandomGenerator random, Effort effort) {
        if (!to.isFloat() || to.bits() >= from.bits()) {
            return;
        }
        long codes = 1L << (to.bits() - (to == DType.F8_E8M0 ? 0 : 1));
        LongStream chosen = to.bits() <= 8 || (to.bits() == 16 && effort == Effort.FULL)
                ? LongStream.range(0, codes - 1)
                : LongStream.generate(() -> random.nextLong(codes - 1)).limit(effort == Effort.FULL ? 20_000 : 300);
        chosen.forEach(code -> {
            double value = asDouble(to, code);
            double next = asDouble(to, code + 1);
            if (Double.isFinite(value) && Double.isFinite(next)) {
                addAround(value);
                addAround(value + (next - value) / 2);
            }
        });
    }

    private static double asDouble(DType dtype, long code) {
        return Double.longBitsToDouble(ScalarReference.convert(dtype, code, DType.F64));
    }

    /// A value, its neighbours, and their negatives.
    private void addAround(double value) {
        long raw =
                from == DType.F64 ? Double.doubleToRawLongBits(value) : Float.floatToRawIntBits((float) value) & mask;
        addBoth(raw - 1);
        addBoth(raw);
        addBoth(raw + 1);
    }

    private void addBoth(long raw) {
        add(raw);
        add(raw ^ mask ^ mask >>> 1);
    }
}
