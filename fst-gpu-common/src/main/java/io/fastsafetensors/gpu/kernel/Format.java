package io.fastsafetensors.gpu.kernel;

import io.fastsafetensors.types.DType;
import java.nio.ByteBuffer;

/// How the elements of a dtype are encoded, in the numbers of `struct fst_format`.
///
/// @param kind one of the source's FST_ kinds
/// @param bits of one element
/// @param mantissaBits of a float; else 0
/// @param bias what a float's exponent code is ahead of the exponent; else 0
record Format(int kind, int bits, int mantissaBits, int bias) {
    private static final int BOOL = 0;
    private static final int UNSIGNED = 1;
    private static final int SIGNED = 2;
    private static final int IEEE = 3;
    private static final int ONE_NAN_A_SIGN = 4;
    private static final int NAN_FOR_NEGATIVE_ZERO = 5;
    private static final int NUMBERS_ONLY = 6;
    private static final int SCALE = 7;

    /// @param dtype any but C64
    static Format of(DType dtype) {
        return switch (dtype) {
            case BOOL -> new Format(BOOL, 8, 0, 0);
            case U8, U16, U32, U64 -> new Format(UNSIGNED, dtype.bits(), 0, 0);
            case I8, I16, I32, I64 -> new Format(SIGNED, dtype.bits(), 0, 0);
            case F4 -> new Format(NUMBERS_ONLY, 4, 1, 1);
            case F6_E2M3 -> new Format(NUMBERS_ONLY, 6, 3, 1);
            case F6_E3M2 -> new Format(NUMBERS_ONLY, 6, 2, 3);
            case F8_E5M2 -> new Format(IEEE, 8, 2, 15);
            case F8_E4M3 -> new Format(ONE_NAN_A_SIGN, 8, 3, 7);
            case F8_E8M0 -> new Format(SCALE, 8, 0, 127);
            case F8_E4M3FNUZ -> new Format(NAN_FOR_NEGATIVE_ZERO, 8, 3, 8);
            case F8_E5M2FNUZ -> new Format(NAN_FOR_NEGATIVE_ZERO, 8, 2, 16);
            case F16 -> new Format(IEEE, 16, 10, 15);
            case BF16 -> new Format(IEEE, 16, 7, 127);
            case F32 -> new Format(IEEE, 32, 23, 127);
            case F64 -> new Format(IEEE, 64, 52, 1023);
            case C64 -> throw new IllegalArgumentException("C64 is no number of one part");
        };
    }

    void write(ByteBuffer bytes, int at) {
        bytes.putInt(at, kind).putInt(at + 4, bits).putInt(at + 8, mantissaBits).putInt(at + 12, bias);
    }
}
