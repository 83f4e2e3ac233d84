package io.fastsafetensors.core.dequant;

import io.fastsafetensors.types.DType;

/// The values of dtypes of at most eight bits, as F32, which has them all.
final class SmallFloats {
    private SmallFloats() {
    }

    /// The value of each code.
    static float[] table(DType dtype) {
        float[] values = new float[1 << dtype.bits()];
        for (int code = 0; code < values.length; code++) {
            values[code] = switch (dtype) {
                case F4 -> number(code, 4, 1, 1);
                case F8_E4M3 -> (code & 0x7F) == 0x7F ? Float.NaN : number(code, 8, 3, 7);
                case F8_E5M2 -> (code & 0x7C) != 0x7C ? number(code, 8, 2, 15)
                        : (code & 3) != 0 ? Float.NaN
                                : code < 0x80 ? Float.POSITIVE_INFINITY : Float.NEGATIVE_INFINITY;
                case F8_E4M3FNUZ -> code == 0x80 ? Float.NaN : number(code, 8, 3, 8);
                case F8_E5M2FNUZ -> code == 0x80 ? Float.NaN : number(code, 8, 2, 16);
                case F8_E8M0 -> code == 0xFF ? Float.NaN : (float) Math.scalb(1.0, code - 127);
                case I8 -> (byte) code;
                default -> throw new IllegalArgumentException(dtype + " has more than eight bits, or no table");
            };
        }
        return values;
    }

    /// Codes with exponent 0 are subnormal, as IEEE 754 has it.
    private static float number(int code, int bits, int mantissaBits, int bias) {
        int magnitude = code & ((1 << (bits - 1)) - 1);
        int exponent = magnitude >>> mantissaBits;
        int fraction = magnitude & ((1 << mantissaBits) - 1);
        int significand = exponent == 0 ? fraction : fraction | (1 << mantissaBits);
        float value = (float) Math.scalb((double) significand, Math.max(exponent, 1) - bias - mantissaBits);
        return code >>> (bits - 1) == 0 ? value : -value;
    }
}
