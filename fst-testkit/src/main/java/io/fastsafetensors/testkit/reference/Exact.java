package io.fastsafetensors.testkit.reference;

/// The exact meaning of one element: every finite value of every dtype is ±`magnitude` × 2^`exponent` with a magnitude
/// of at most 64 bits.
///
/// @param kind which of the three it is
/// @param negative the sign
/// @param magnitude of a finite value, unsigned; of a NaN, its payload with the top bit at [#TOP_PAYLOAD_BIT]
/// @param exponent the power of two of a finite value
record Exact(Kind kind, boolean negative, long magnitude, int exponent) {
    /// The place of a payload's first (the quiet) bit, as in F64.
    static final int TOP_PAYLOAD_BIT = 51;

    enum Kind {
        FINITE, INFINITE, NAN
    }

    static Exact finite(boolean negative, long magnitude, int exponent) {
        return new Exact(Kind.FINITE, negative, magnitude, exponent);
    }

    static Exact infinite(boolean negative) {
        return new Exact(Kind.INFINITE, negative, 0, 0);
    }

    static Exact nan(boolean negative, long payload) {
        return new Exact(Kind.NAN, negative, payload, 0);
    }

    boolean isNan() {
        return kind == Kind.NAN;
    }

    boolean isInfinite() {
        return kind == Kind.INFINITE;
    }

    boolean isZero() {
        return kind == Kind.FINITE && magnitude == 0;
    }

    /// The power of two of the leading bit: the value is in [2^n, 2^(n+1)). Not for zero.
    int leadingPower() {
        return 63 - Long.numberOfLeadingZeros(magnitude) + exponent;
    }

    /// The magnitude as a multiple of 2^`unit`, rounded to nearest, ties to even. The result fits: the caller's unit is
    /// at most 52 powers below the leading bit.
    long inUnitsOf(int unit) {
        int shift = exponent - unit;
        return shift >= 0 ? magnitude << shift : roundedShift(magnitude, -shift);
    }

    /// `unsigned` ÷ 2^`distance`, rounded to nearest, ties to even.
    static long roundedShift(long unsigned, int distance) {
        if (distance > 64) {
            return 0; // less than half
        }
        long quotient = distance == 64 ? 0 : unsigned >>> distance;
        long half = 1L << (distance - 1);
        long remainder = distance == 64 ? unsigned : unsigned & ((1L << distance) - 1);
        int side = Long.compareUnsigned(remainder, half);
        boolean up = side > 0 || (side == 0 && (quotient & 1) == 1);
        return up ? quotient + 1 : quotient;
    }
}
