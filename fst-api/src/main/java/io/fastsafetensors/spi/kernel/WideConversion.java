package io.fastsafetensors.spi.kernel;

import static java.lang.foreign.ValueLayout.JAVA_DOUBLE_UNALIGNED;

import io.fastsafetensors.types.DType;
import java.lang.foreign.MemorySegment;

/// The pairs whose elements pass through 64-bit integers: from every dtype of 16 bits and more to every integer and to
/// BOOL, from U64 to F32, and from everything else to F64.
final class WideConversion extends Conversion {
    /// F32's smallest number, as an F64.
    private static final double F32_UNIT = 0x1p-149;
    private static final double HALF_RANGE = 0x1p63;
    private static final int F32_MAGNITUDE = 0x7FFF_FFFF;
    private static final int F32_INFINITY = 0x7F80_0000;
    private static final int F32_NORMAL = 0x0080_0000;

    private final DType from;
    private final DType to;
    private final boolean fromFloat;
    /// The least and the largest value of an integer target that a `long` has.
    private final long least;
    private final long largest;

    WideConversion(DType from, DType to) {
        super(from, to);
        this.from = from;
        this.to = to;
        this.fromFloat = from.kind() == DType.Kind.FLOAT;
        boolean signed = to.kind() == DType.Kind.SIGNED;
        this.least = signed ? Long.MIN_VALUE >> (Long.SIZE - to.bits()) : 0;
        this.largest = signed ? ~least : to.bits() == Long.SIZE ? Long.MAX_VALUE : (1L << to.bits()) - 1;
    }

    static boolean serves(DType from, DType to) {
        if (from.bits() < 16) {
            return false;
        }
        return switch (to.kind()) {
            case BOOL, SIGNED, UNSIGNED -> true;
            case FLOAT -> to == DType.F64 ? from != DType.F64 : to == DType.F32 && from == DType.U64;
            case COMPLEX -> false;
        };
    }

    @Override
    void run(Scratch scratch, MemorySegment source, long sourceAt, MemorySegment target, long targetAt, int count) {
        long[] wide = scratch.wide;
        if (to == DType.BOOL) {
            Packing.load(from.bits(), source, sourceAt, wide, count);
            // Negative zero is zero.
            toBool(wide, fromFloat ? -1L >>> (Long.SIZE + 1 - from.bits()) : -1, count);
        } else if (to == DType.F64 && fromFloat) {
            HotLoops.loadFloats(from, scratch, source, sourceAt, count);
            floatsToDoubles(scratch.lanes, wide, count);
        } else if (fromFloat) {
            loadRounded(scratch, source, sourceAt, count);
            if (to != DType.U64) {
                clamp(wide, least, largest, count);
            }
        } else {
            Packing.loadIntegers(from, source, sourceAt, wide, count);
            if (to == DType.F32) {
                unsignedToF32(wide, count);
            } else if (to == DType.F64) {
                toF64(wide, from == DType.U64, target, targetAt, count);
                return;
            } else {
                if (from == DType.U64) {
                    // More than any target has.
                    saturate(wide, count);
                }
                clamp(wide, least, largest, count);
            }
        }
        Packing.store(to.bits(), wide, target, targetAt, count);
    }

    /// Floats to the nearest integers, ties to even; NaN is 0. What no `long` has becomes the nearest that there is, for U64
    /// the nearest of those.
    private void loadRounded(Scratch scratch, MemorySegment source, long at, int count) {
        long[] wide = scratch.wide;
        if (from == DType.F64) {
            if (to == DType.U64) {
                for (int i = 0; i < count; i++) {
                    wide[i] = unsigned(Math.rint(source.get(JAVA_DOUBLE_UNALIGNED, at + 8L * i)));
                }
            } else {
                for (int i = 0; i < count; i++) {
                    wide[i] = (long) Math.rint(source.get(JAVA_DOUBLE_UNALIGNED, at + 8L * i));
                }
            }
            return;
        }
        HotLoops.loadFloats(from, scratch, source, at, count);
        scratch.lanesToFloats(count);
        float[] floats = scratch.floats;
        if (to == DType.U64) {
            for (int i = 0; i < count; i++) {
                wide[i] = unsigned(Math.rint(floats[i]));
            }
        } else {
            for (int i = 0; i < count; i++) {
                wide[i] = (long) Math.rint(floats[i]);
            }
        }
    }

    /// @param value an integer, or not finite
    private static long unsigned(double value) {
        return value < HALF_RANGE ? Math.max((long) value, 0)
                : value < 2 * HALF_RANGE ? (long) (value - HALF_RANGE) | Long.MIN_VALUE : Double.isNaN(value) ? 0 : -1;
    }

    private static void clamp(long[] wide, long least, long largest, int count) {
        for (int i = 0; i < count; i++) {
            wide[i] = Math.max(least, Math.min(largest, wide[i]));
        }
    }

    private static void saturate(long[] wide, int count) {
        for (int i = 0; i < count; i++) {
            long x = wide[i];
            wide[i] = x < 0 ? Long.MAX_VALUE : x;
        }
    }

    private static void toBool(long[] wide, long mask, int count) {
        for (int i = 0; i < count; i++) {
            long x = wide[i] & mask;
            wide[i] = (x | -x) >>> (Long.SIZE - 1);
        }
    }

    /// Half of a large one, the lowest bit kept, is rounded as the whole is.
    private static void unsignedToF32(long[] wide, int count) {
        for (int i = 0; i < count; i++) {
            long x = wide[i];
            wide[i] = Float.floatToRawIntBits(x < 0 ? (float) (x >>> 1 | (x & 1)) * 2 : (float) x);
        }
    }

    private static void toF64(long[] wide, boolean unsigned, MemorySegment target, long at, int count) {
        if (unsigned) {
            for (int i = 0; i < count; i++) {
                long x = wide[i];
                target.set(JAVA_DOUBLE_UNALIGNED, at + 8L * i, x < 0 ? (double) (x >>> 1 | (x & 1)) * 2 : (double) x);
            }
        } else {
            for (int i = 0; i < count; i++) {
                target.set(JAVA_DOUBLE_UNALIGNED, at + 8L * i, (double) wide[i]);
            }
        }
    }

    /// By integer arithmetic, so that NaN keeps its bits; F32's subnormals are numbers in units of the smallest.
    private static void floatsToDoubles(int[] lanes, long[] wide, int count) {
        for (int i = 0; i < count; i++) {
            int x = lanes[i];
            int magnitude = x & F32_MAGNITUDE;
            long bits;
            if (magnitude - F32_NORMAL >= 0 && magnitude < F32_INFINITY) {
                bits = ((long) magnitude << 29) + 0x3800_0000_0000_0000L;
            } else if (magnitude < F32_NORMAL) {
                bits = Double.doubleToRawLongBits(magnitude * F32_UNIT);
            } else {
                bits = (long) magnitude << 29 | Binary64.INFINITY | (magnitude > F32_INFINITY ? Binary64.NAN : 0);
            }
            wide[i] = bits | (x & 0x8000_0000L) << 32;
        }
    }
}
