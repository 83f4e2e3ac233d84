package io.fastsafetensors.spi.kernel;

import io.fastsafetensors.types.DType;
import java.util.EnumMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// One float dtype: its fields, and the ways between its bits and those of an F64. The table below is the only place
/// that knows the formats.
final class FloatFormat {
    /// The special values of a format.
    private enum Special {
        /// Infinities, and NaN with payloads.
        IEEE,
        /// One NaN of each sign, at all ones.
        ONE_NAN_A_SIGN,
        /// One NaN, where negative zero would be; it has no sign.
        NAN_FOR_NEGATIVE_ZERO,
        /// Numbers only.
        NONE,
        /// Powers of two; all ones is NaN. Neither sign nor zero.
        SCALE
    }

    private static final Map<DType, FloatFormat> TABLE = new EnumMap<>(DType.class);

    static {
        put(DType.F4, 1, 1, Special.NONE);
        put(DType.F6_E2M3, 3, 1, Special.NONE);
        put(DType.F6_E3M2, 2, 3, Special.NONE);
        put(DType.F8_E4M3, 3, 7, Special.ONE_NAN_A_SIGN);
        put(DType.F8_E5M2, 2, 15, Special.IEEE);
        put(DType.F8_E4M3FNUZ, 3, 8, Special.NAN_FOR_NEGATIVE_ZERO);
        put(DType.F8_E5M2FNUZ, 2, 16, Special.NAN_FOR_NEGATIVE_ZERO);
        put(DType.F8_E8M0, 0, 127, Special.SCALE);
        put(DType.F16, 10, 15, Special.IEEE);
        put(DType.BF16, 7, 127, Special.IEEE);
        put(DType.F32, 23, 127, Special.IEEE);
        put(DType.F64, Binary64.MANTISSA_BITS, Binary64.BIAS, Special.IEEE);
    }

    private final int mantissaBits;
    private final int bias;
    private final Special special;
    /// The sign bit; 0 where there is none.
    private final long sign;
    /// The bits of NaN (the quiet one where there are more), without sign; 0 where there is none.
    private final long nan;
    /// The bits of the largest number.
    private final long largest;
    /// What is larger still becomes this.
    private final long overflow;

    private FloatFormat(int bits, int mantissaBits, int bias, Special special) {
        this.mantissaBits = mantissaBits;
        this.bias = bias;
        this.special = special;
        long ones = (1L << (bits - 1)) - 1;
        long infinity = ones >>> mantissaBits << mantissaBits;
        this.sign = special == Special.SCALE ? 0 : 1L << (bits - 1);
        this.nan = switch (special) {
            case IEEE -> infinity | (1L << (mantissaBits - 1));
            case ONE_NAN_A_SIGN -> ones;
            case NAN_FOR_NEGATIVE_ZERO -> 1L << (bits - 1);
            case NONE -> 0;
            case SCALE -> 0xFF;
        };
        this.largest = switch (special) {
            case IEEE -> infinity - 1;
            case ONE_NAN_A_SIGN -> ones - 1;
            case NAN_FOR_NEGATIVE_ZERO, NONE -> ones;
            case SCALE -> 0xFE;
        };
        this.overflow = special == Special.IEEE ? infinity : largest;
    }

    private static void put(DType dtype, int mantissaBits, int bias, Special special) {
        TABLE.put(dtype, new FloatFormat(dtype.bits(), mantissaBits, bias, special));
    }

    /// The format of a float dtype, null for all others.
    static @Nullable FloatFormat of(DType dtype) {
        return TABLE.get(dtype);
    }

    /// The F64 of the same value. A NaN payload stays at the top of the mantissa; a format without payloads gives the
    /// quiet NaN.
    ///
    /// @param bits of one element, the rest zero
    long toBinary64(long bits) {
        long negative = (bits & sign) == 0 ? 0 : Binary64.SIGN;
        long magnitude = bits & ~sign;
        return switch (special) {
            case IEEE -> magnitude > largest
                    ? negative | Binary64.INFINITY | shiftMantissa(magnitude)
                    : negative | finite(magnitude);
            case ONE_NAN_A_SIGN -> negative | (magnitude == nan ? Binary64.NAN : finite(magnitude));
            case NAN_FOR_NEGATIVE_ZERO -> bits == nan ? Binary64.NAN : negative | finite(magnitude);
            case NONE -> negative | finite(magnitude);
            case SCALE -> bits == nan ? Binary64.NAN : Binary64.of(1, (int) bits - bias);
        };
    }

    private long shiftMantissa(long magnitude) {
        return magnitude << (Binary64.MANTISSA_BITS - mantissaBits) & Binary64.MANTISSA;
    }

    private long finite(long magnitude) {
        if (mantissaBits == Binary64.MANTISSA_BITS || magnitude == 0) {
            return magnitude;
        }
        int biased = (int) (magnitude >>> mantissaBits);
        long fraction = magnitude & ((1L << mantissaBits) - 1);
        long significand = biased == 0 ? fraction : fraction | (1L << mantissaBits);
        return Binary64.of(significand, Math.max(biased, 1) - bias - mantissaBits);
    }

    /// The element nearest to an F64.
    long fromBinary64(long bits) {
        boolean negative = Binary64.isNegative(bits);
        if (Binary64.isNan(bits)) {
            return fromNan(bits);
        }
        if (Binary64.isInfinite(bits)) {
            return special == Special.SCALE ? nan : signed(negative, overflow);
        }
        return fromNumber(negative, Binary64.significand(bits), Binary64.exponent(bits));
    }

    private long fromNan(long bits) {
        boolean negative = Binary64.isNegative(bits);
        return switch (special) {
            case IEEE ->
                    signed(negative, nan | ((bits & Binary64.MANTISSA) >>> (Binary64.MANTISSA_BITS - mantissaBits)));
            case ONE_NAN_A_SIGN -> signed(negative, nan);
            case NAN_FOR_NEGATIVE_ZERO, NONE, SCALE -> nan;
        };
    }

    /// The element nearest to `±magnitude · 2^exponent`, rounded once.
    ///
    /// @param magnitude an unsigned long
    long fromNumber(boolean negative, long magnitude, int exponent) {
        if (special == Special.SCALE) {
            return nearestPowerOfTwo(magnitude, exponent);
        }
        if (magnitude == 0) {
            return signed(negative, 0);
        }
        int lead = Rounding.leadingBit(magnitude);
        int biased = Math.max(lead + exponent + bias, 1);
        // Where the last mantissa bit of the result stands in the magnitude.
        int shift = biased - bias - mantissaBits - exponent;
        long significand = shift < 0 ? magnitude << -shift : Rounding.shiftRight(magnitude, shift);
        // The significand's own top bit adds 1 to the exponent field, and so does a carry out of rounding.
        long code = ((long) (biased - 1) << mantissaBits) + significand;
        return signed(negative, code > largest ? overflow : code);
    }

    private long nearestPowerOfTwo(long magnitude, int exponent) {
        if (magnitude == 0) {
            return 0;
        }
        int lead = Rounding.leadingBit(magnitude);
        int code = lead + exponent + bias;
        long rest = lead == 0 ? 0 : magnitude << (Long.SIZE - lead);
        int half = Long.compareUnsigned(rest, Long.MIN_VALUE);
        if (half > 0 || (half == 0 && (code & 1) != 0)) {
            code++;
        }
        return Math.clamp(code, 0, largest);
    }

    private long signed(boolean negative, long magnitude) {
        if (!negative || (magnitude == 0 && special == Special.NAN_FOR_NEGATIVE_ZERO)) {
            return magnitude;
        }
        return magnitude | sign;
    }

    /// The vector code from F32, for formats of at most 16 bits with a sign and a bias below BF16's.
    Narrowing narrowing() {
        return new Narrowing(Long.SIZE - Long.numberOfLeadingZeros(sign), mantissaBits, bias, (int) overflow,
                (int) nan, special == Special.IEEE, special != Special.NAN_FOR_NEGATIVE_ZERO,
                special == Special.IEEE || special == Special.ONE_NAN_A_SIGN);
    }
}
