package io.fastsafetensors.backend.cpu.kernels;

import io.fastsafetensors.types.DType;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import java.util.EnumMap;
import java.util.Map;

/// Finds what conversions must give another way than the kernels': narrow floats by looking for the nearest of all
/// their numbers, wide floats by the JDK's own rounding, integers by BigDecimal.
final class Oracle {
    private static final Map<DType, Oracle> ALL = new EnumMap<>(DType.class);

    static {
        put(DType.F4, 1, 1, 8, -1, 0x7, 0);
        put(DType.F6_E2M3, 3, 1, 0x20, -1, 0x1F, 0);
        put(DType.F6_E3M2, 2, 3, 0x20, -1, 0x1F, 0);
        put(DType.F8_E4M3, 3, 7, 0x80, -1, 0x7E, 0x7F);
        put(DType.F8_E5M2, 2, 15, 0x80, 0x7C, 0x7B, 0x7E);
        put(DType.F8_E4M3FNUZ, 3, 8, 0x80, -1, 0x7F, 0x80);
        put(DType.F8_E5M2FNUZ, 2, 16, 0x80, -1, 0x7F, 0x80);
        put(DType.F8_E8M0, 0, 127, 0, -1, 0xFE, 0xFF);
        put(DType.F16, 10, 15, 0x8000, 0x7C00, 0x7BFF, 0x7E00);
        put(DType.BF16, 7, 127, 0x8000, 0x7F80, 0x7F7F, 0x7FC0);
    }

    /// The numbers from 0 up; the index is the code.
    final double[] points;
    private final DType dtype;
    private final int mantissa;
    private final int sign;
    private final int infinity;
    private final int nan;

    private Oracle(DType dtype, int mantissa, int bias, int sign, int infinity, int largest, int nan) {
        this.dtype = dtype;
        this.mantissa = mantissa;
        this.sign = sign;
        this.infinity = infinity;
        this.nan = nan;
        this.points = new double[largest + 1];
        for (int code = 0; code <= largest; code++) {
            int exponent = code >> mantissa;
            double fraction = (code - (exponent << mantissa)) / (double) (1 << mantissa);
            points[code] = exponent == 0 && dtype != DType.F8_E8M0 ? Math.scalb(fraction, 1 - bias)
                    : Math.scalb(1 + fraction, exponent - bias);
        }
    }

    private static void put(DType dtype, int mantissa, int bias, int sign, int infinity, int largest, int nan) {
        ALL.put(dtype, new Oracle(dtype, mantissa, bias, sign, infinity, largest, nan));
    }

    static Oracle of(DType dtype) {
        return ALL.get(dtype);
    }

    static boolean isNarrowFloat(DType dtype) {
        return ALL.containsKey(dtype);
    }

    static long convert(DType from, long raw, DType to) {
        if (from == to) {
            return raw;
        }
        if (from.isFloat()) {
            double value = value(from, raw);
            return Double.isNaN(value) ? nan(from, raw, to) : encode(value, Math.copySign(1, value) < 0, to);
        }
        BigInteger number = integer(from, raw);
        return encode(number, number.signum() < 0, to);
    }

    /// A Double (also an infinity) or a BigInteger.
    private static long encode(Number value, boolean negative, DType to) {
        return switch (to.kind()) {
            case BOOL -> value.doubleValue() == 0 ? 0 : 1;
            case UNSIGNED -> clamp(value, BigInteger.ZERO, BigInteger.TWO.pow(to.bits()).subtract(BigInteger.ONE));
            case SIGNED -> clamp(value, BigInteger.TWO.pow(to.bits() - 1).negate(),
                    BigInteger.TWO.pow(to.bits() - 1).subtract(BigInteger.ONE)) & -1L >>> (64 - to.bits());
            default -> to == DType.F64 ? Double.doubleToRawLongBits(value.doubleValue())
                    : to == DType.F32 ? Float.floatToRawIntBits(value.floatValue()) & 0xFFFF_FFFFL
                            : of(to).nearest(value, negative);
        };
    }

    private static long clamp(Number value, BigInteger lowest, BigInteger highest) {
        if (value instanceof Double d && d.isInfinite()) {
            return (d < 0 ? lowest : highest).longValue();
        }
        BigInteger whole = value instanceof BigInteger big ? big
                : new BigDecimal(value.doubleValue()).setScale(0, RoundingMode.HALF_EVEN).toBigInteger();
        return whole.max(lowest).min(highest).longValue();
    }

    private long nearest(Number value, boolean negative) {
        int last = points.length - 1;
        int low = 0;
        int high = last + 1;
        while (high - low > 1) {
            int middle = (low + high) >>> 1;
            if (compare(value, points[middle]) >= 0) {
                low = middle;
            } else {
                high = middle;
            }
        }
        double next = low < last ? points[low + 1] : dtype == DType.F8_E8M0 ? 0x1p128
                : points[last] + (points[last] - points[last - 1]);
        boolean above = compare(value, points[low]) >= 0;
        int side = above ? compare(value, points[low] + (next - points[low]) / 2) : -1;
        int code = side > 0 || (side == 0 && (low & 1) != 0) ? low + 1 : low;
        if (value instanceof Double d && d.isInfinite() && dtype == DType.F8_E8M0) {
            return nan;
        }
        if (code > last) {
            code = infinity >= 0 ? infinity : last;
        }
        boolean minus = negative && !(code == 0 && nan == 0x80);
        return minus ? code | sign : code;
    }

    /// Magnitude against a number.
    private static int compare(Number value, double point) {
        return value instanceof BigInteger big && big.bitLength() > 53
                ? new BigDecimal(big.abs()).compareTo(new BigDecimal(point))
                : Double.compare(Math.abs(value.doubleValue()), point);
    }

    private static double value(DType from, long raw) {
        if (from == DType.F64) {
            return Double.longBitsToDouble(raw);
        }
        return from == DType.F32 ? Float.intBitsToFloat((int) raw) : of(from).value((int) raw);
    }

    private double value(int raw) {
        if (nan == 0x80 && raw == nan || dtype == DType.F8_E8M0 && raw == nan) {
            return Double.NaN;
        }
        int code = raw & ~sign;
        double magnitude = code < points.length ? points[code] : code == infinity ? Double.POSITIVE_INFINITY
                : Double.NaN;
        return (raw & sign) != 0 ? -magnitude : magnitude;
    }

    static BigInteger integer(DType from, long raw) {
        if (from == DType.BOOL) {
            return raw == 0 ? BigInteger.ZERO : BigInteger.ONE;
        }
        BigInteger unsigned = new BigInteger(Long.toUnsignedString(raw));
        return from.kind() == DType.Kind.SIGNED && unsigned.testBit(from.bits() - 1)
                ? unsigned.subtract(BigInteger.TWO.pow(from.bits())) : unsigned;
    }

    private static int mantissa(DType dtype) {
        return dtype == DType.F64 ? 52 : dtype == DType.F32 ? 23 : of(dtype).mantissa;
    }

    private static boolean hasPayload(DType dtype) {
        return dtype == DType.F64 || dtype == DType.F32 || of(dtype).infinity >= 0;
    }

    private static long nan(DType from, long raw, DType to) {
        if (to.kind() == DType.Kind.BOOL) {
            return 1;
        }
        if (!to.isFloat()) {
            return 0;
        }
        boolean signless = from == DType.F8_E8M0 || (!hasPayload(from) && of(from).nan == 0x80);
        boolean negative = !signless && (raw >>> (from.bits() - 1) & 1) != 0;
        if (!hasPayload(to)) {
            return to == DType.F8_E4M3 && negative ? 0xFF : of(to).nan;
        }
        String payload = hasPayload(from) ? binary(raw, mantissa(from)) : "";
        String kept = (payload + "0".repeat(52)).substring(0, mantissa(to));
        String exponent = "1".repeat(to.bits() - 1 - mantissa(to));
        return Long.parseUnsignedLong((negative ? "1" : "0") + exponent + "1" + kept.substring(1), 2);
    }

    private static String binary(long raw, int digits) {
        String all = "0".repeat(64) + Long.toBinaryString(raw);
        return all.substring(all.length() - digits);
    }
}
