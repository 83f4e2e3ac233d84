package io.fastsafetensors.core.dlpack;

import io.fastsafetensors.types.DType;
import java.util.Optional;
import java.util.stream.Stream;

/// DLPack's `DLDataType`.
///
/// @param code one of `DLDataTypeCode`
/// @param bits bits of one lane
/// @param lanes lanes of one element
record DataType(int code, int bits, int lanes) {
    /// `kDLUInt`, 8 bits: what elements travel as that the consumer may not know.
    static final DataType BYTE = new DataType(1, 8, 1);

    /// One lane of `dtype`, by the code that DLPack 1.1 gives it.
    static DataType of(DType dtype) {
        int code = switch (dtype) {
            case I8, I16, I32, I64 -> 0; // kDLInt
            case U8, U16, U32, U64 -> 1; // kDLUInt
            case F16, F32, F64 -> 2; // kDLFloat
            case BF16 -> 4; // kDLBfloat
            case C64 -> 5; // kDLComplex
            case BOOL -> 6; // kDLBool
            case F8_E4M3 -> 10; // kDLFloat8_e4m3fn
            case F8_E4M3FNUZ -> 11; // kDLFloat8_e4m3fnuz
            case F8_E5M2 -> 12; // kDLFloat8_e5m2
            case F8_E5M2FNUZ -> 13; // kDLFloat8_e5m2fnuz
            case F8_E8M0 -> 14; // kDLFloat8_e8m0fnu
            case F6_E2M3 -> 15; // kDLFloat6_e2m3fn
            case F6_E3M2 -> 16; // kDLFloat6_e3m2fn
            case F4 -> 17; // kDLFloat4_e2m1fn
        };
        return new DataType(code, dtype.bits(), 1);
    }

    DataType withLanes(int count) {
        return new DataType(code, bits, count);
    }

    /// The dtype of a lane, if it is one of ours.
    Optional<DType> lane() {
        return Stream.of(DType.values()).filter(d -> of(d).equals(withLanes(1))).findFirst();
    }

    /// `code C, B bits, L lanes`.
    @Override
    public String toString() {
        return "code " + code + ", " + bits + " bits, " + lanes + (lanes == 1 ? " lane" : " lanes");
    }
}
