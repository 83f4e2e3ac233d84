package io.fastsafetensors.testkit.reference;

import io.fastsafetensors.types.DType;

/// A float of sign, exponent and mantissa.
///
/// @param exponentBits the width of the exponent
/// @param mantissaBits the width of the mantissa
/// @param bias what the exponent's code is ahead of the exponent
/// @param specials how infinities and NaN are spelled
record ReferenceFormat(int exponentBits, int mantissaBits, int bias, Specials specials) {
    enum Specials {
        /// As IEEE 754: the largest exponent code is infinity (mantissa 0) or a NaN with a payload.
        IEEE,
        /// All ones is NaN, with a sign; no infinity.
        ALL_ONES,
        /// Minus zero's code is the one NaN, without a sign; no infinity, no minus zero.
        MINUS_ZERO,
        /// No infinity, no NaN.
        NONE
    }

    /// The format of a dtype of kind FLOAT other than F8_E8M0.
    static ReferenceFormat of(DType dtype) {
        return switch (dtype) {
            case F64 -> new ReferenceFormat(11, 52, 1023, Specials.IEEE);
            case F32 -> new ReferenceFormat(8, 23, 127, Specials.IEEE);
            case BF16 -> new ReferenceFormat(8, 7, 127, Specials.IEEE);
            case F16 -> new ReferenceFormat(5, 10, 15, Specials.IEEE);
            case F8_E5M2 -> new ReferenceFormat(5, 2, 15, Specials.IEEE);
            case F8_E4M3 -> new ReferenceFormat(4, 3, 7, Specials.ALL_ONES);
            case F8_E4M3FNUZ -> new ReferenceFormat(4, 3, 8, Specials.MINUS_ZERO);
            case F8_E5M2FNUZ -> new ReferenceFormat(5, 2, 16, Specials.MINUS_ZERO);
            case F6_E3M2 -> new ReferenceFormat(3, 2, 3, Specials.NONE);
            case F6_E2M3 -> new ReferenceFormat(2, 3, 1, Specials.NONE);
            case F4 -> new ReferenceFormat(2, 1, 1, Specials.NONE);
            default -> throw new IllegalArgumentException(dtype + " is no float of sign, exponent and mantissa");
        };
    }

    Exact decode(long bits) {
        boolean negative = (bits & signBit()) != 0;
        long magnitudeCode = bits & (signBit() - 1);
        long mantissa = magnitudeCode & mask(mantissaBits);
        int exponentCode = (int) (magnitudeCode >>> mantissaBits);
        switch (specials) {
            case IEEE -> {
                if (exponentCode == mask(exponentBits)) {
                    return mantissa == 0 ? Exact.infinite(negative)
                            : Exact.nan(negative, mantissa << (Exact.TOP_PAYLOAD_BIT + 1 - mantissaBits));
                }
            }
            case ALL_ONES -> {
                if (magnitudeCode == signBit() - 1) {
                    return Exact.nan(negative, 0);
                }
            }
            case MINUS_ZERO -> {
                if (bits == signBit()) {
                    return Exact.nan(false, 0);
                }
            }
            case NONE -> {
            }
        }
        return exponentCode == 0 ? Exact.finite(negative, mantissa, lowestUnit())
                : Exact.finite(negative, mantissa | 1L << mantissaBits, exponentCode - 1 + lowestUnit());
    }

    long encode(Exact value) {
        long sign = value.negative() ? signBit() : 0;
        if (value.isNan()) {
            return encodeNan(value, sign);
        }
        long code = value.isInfinite() ? Long.MAX_VALUE : finiteCode(value);
        if (code > largestFinite()) {
            return sign | (specials == Specials.IEEE ? infinity() : largestFinite());
        }
        return code == 0 && specials == Specials.MINUS_ZERO ? 0 : sign | code;
    }

    /// The code without the sign, as if exponents went on for ever: rounding up carries into the next exponent.
    private long finiteCode(Exact value) {
        if (value.isZero()) {
            return 0;
        }
        int unit = Math.max(value.leadingPower() - mantissaBits, lowestUnit());
        long units = value.inUnitsOf(unit);
        return ((long) (unit - lowestUnit()) << mantissaBits) + units;
    }

    private long encodeNan(Exact value, long sign) {
        return switch (specials) {
            case IEEE -> sign | infinity() | 1L << (mantissaBits - 1)
                    | value.magnitude() >>> (Exact.TOP_PAYLOAD_BIT + 1 - mantissaBits);
            case ALL_ONES -> sign | (signBit() - 1);
            case MINUS_ZERO -> signBit();
            case NONE -> 0;
        };
    }

    private long largestFinite() {
        return switch (specials) {
            case IEEE -> infinity() - 1;
            case ALL_ONES -> signBit() - 2;
            case MINUS_ZERO, NONE -> signBit() - 1;
        };
    }

    private long infinity() {
        return mask(exponentBits) << mantissaBits;
    }

    private long signBit() {
        return 1L << (exponentBits + mantissaBits);
    }

    /// The power of two of the smallest subnormal.
    private int lowestUnit() {
        return 1 - bias - mantissaBits;
    }

    private static long mask(int bits) {
        return (1L << bits) - 1;
    }
}
