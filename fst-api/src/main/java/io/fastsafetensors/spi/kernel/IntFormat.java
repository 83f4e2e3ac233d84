package io.fastsafetensors.spi.kernel;

import io.fastsafetensors.types.DType;

/// One integer dtype; what does not fit saturates.
///
/// @param bits of an element
/// @param signed whether it is two's complement
record IntFormat(int bits, boolean signed) {
    static IntFormat of(DType dtype) {
        return new IntFormat(dtype.bits(), dtype.kind() == DType.Kind.SIGNED);
    }

    /// An element's bits as a long of the same value (for U64: the same bits).
    long extend(long raw) {
        int unused = Long.SIZE - bits;
        return signed ? raw << unused >> unused : raw;
    }

    /// The element nearest to an F64: ties to even, NaN is 0.
    long fromBinary64(long value) {
        boolean negative = Binary64.isNegative(value);
        if (Binary64.isNan(value)) {
            return 0;
        }
        if (Binary64.isInfinite(value)) {
            return fromInteger(negative, -1);
        }
        long significand = Binary64.significand(value);
        int exponent = Binary64.exponent(value);
        if (exponent <= 0) {
            return fromInteger(negative, Rounding.shiftRight(significand, -exponent));
        }
        boolean fits = exponent <= Long.numberOfLeadingZeros(significand);
        return fromInteger(negative, fits ? significand << exponent : -1);
    }

    /// The element nearest to an integer.
    ///
    /// @param magnitude an unsigned long
    long fromInteger(boolean negative, long magnitude) {
        if (negative && !signed) {
            return 0;
        }
        long ones = -1L >>> (Long.SIZE - bits);
        long largest = signed ? (ones >>> 1) + (negative ? 1 : 0) : ones;
        long kept = Long.compareUnsigned(magnitude, largest) > 0 ? largest : magnitude;
        return (negative ? -kept : kept) & ones;
    }
}
