package io.fastsafetensors.spi.kernel;

/// The bits of an F64: the exact form that every float passes through. NaN keeps its sign and payload there, which a
/// `double` would not promise.
final class Binary64 {
    static final long SIGN = Long.MIN_VALUE;
    static final long INFINITY = 0x7FF0_0000_0000_0000L;
    static final long NAN = 0x7FF8_0000_0000_0000L;
    static final int MANTISSA_BITS = 52;
    static final long MANTISSA = (1L << MANTISSA_BITS) - 1;
    static final int BIAS = 1023;

    private Binary64() {
    }

    static boolean isNegative(long bits) {
        return bits < 0;
    }

    static boolean isNan(long bits) {
        return (bits & ~SIGN) > INFINITY;
    }

    static boolean isInfinite(long bits) {
        return (bits & ~SIGN) == INFINITY;
    }

    static boolean isZero(long bits) {
        return (bits & ~SIGN) == 0;
    }

    /// The integer that is the magnitude of a finite number, times 2^[#exponent].
    static long significand(long bits) {
        return biased(bits) == 0 ? bits & MANTISSA : (bits & MANTISSA) | (1L << MANTISSA_BITS);
    }

    /// The power of two that goes with [#significand].
    static int exponent(long bits) {
        return Math.max(biased(bits), 1) - BIAS - MANTISSA_BITS;
    }

    /// The positive number `magnitude · 2^exponent`, which must be a normal one.
    ///
    /// @param magnitude not 0, below 2^53
    static long of(long magnitude, int exponent) {
        int lead = Rounding.leadingBit(magnitude);
        return ((long) (lead + exponent + BIAS) << MANTISSA_BITS)
                | ((magnitude << (MANTISSA_BITS - lead)) & MANTISSA);
    }

    private static int biased(long bits) {
        return (int) (bits >>> MANTISSA_BITS) & 0x7FF;
    }
}
