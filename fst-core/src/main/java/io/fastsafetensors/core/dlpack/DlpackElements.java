package io.fastsafetensors.core.dlpack;

import io.fastsafetensors.api.DlpackVersion;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.util.Optional;
import java.util.stream.Stream;

/// A dtype and shape of ours as DLPack says them, and back. The two differ where elements are smaller than 16 bits.
///
/// @param type the element type
/// @param shape the dimensions, in elements of that type
record DlpackElements(DataType type, Shape shape) {
    private static final int PAIR = 2;

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

        /// The dtype of a lane, if it is one of ours. The codes of floats smaller than 16 bits are told apart by their
        /// code, not by their bits: there are five of 8 bits.
        Optional<DType> lane() {
            return Stream.of(DType.values()).filter(d -> of(d).equals(withLanes(1))).findFirst();
        }

        /// `code C, B bits, L lanes`.
        @Override
        public String toString() {
            return "code " + code + ", " + bits + " bits, " + lanes + (lanes == 1 ? " lane" : " lanes");
        }
    }

    /// How a tensor is handed on.
    ///
    /// In the versioned struct every dtype has its code. F4 goes in pairs, as PyTorch's `float4_e2m1fn_x2`, wherever
    /// the innermost dimension is even: 2 lanes, and that dimension halved. The legacy struct is older than these
    /// codes, so that floats of 8 bits and less go as bytes: an innermost dimension counts bytes where it fills whole
    /// ones, else all bytes are one dimension.
    static DlpackElements of(DType dtype, Shape shape, long byteSize, DlpackVersion version) {
        boolean small = dtype.isFloat() && dtype.bits() <= Byte.SIZE;
        if (version == DlpackVersion.LEGACY && small) {
            return new DlpackElements(DataType.BYTE, bytes(dtype, shape, byteSize));
        }
        DataType type = DataType.of(dtype);
        int last = shape.rank() - 1;
        if (dtype == DType.F4 && last >= 0 && shape.dim(last) % PAIR == 0) {
            return new DlpackElements(type.withLanes(PAIR), shape.withDim(last, shape.dim(last) / PAIR));
        }
        return new DlpackElements(type, shape);
    }

    /// The dimensions of the same memory counted in bytes.
    private static Shape bytes(DType dtype, Shape shape, long byteSize) {
        if (!dtype.isSubByte()) {
            return shape;
        }
        int last = shape.rank() - 1;
        long bits = last < 0 ? 0 : Math.multiplyExact(shape.dim(last), (long) dtype.bits());
        return last < 0 || bits % Byte.SIZE != 0 ? Shape.of(byteSize) : shape.withDim(last, bits / Byte.SIZE);
    }

    /// Our dtype, if there is one: of one lane, or of F4's two.
    Optional<DType> dtype() {
        return type.lane().filter(d -> type.lanes() == 1 || isPair(d));
    }

    /// F4 as PyTorch has it.
    private boolean isPair(DType dtype) {
        return dtype == DType.F4 && type.lanes() == PAIR && shape.rank() > 0;
    }

    /// Our dimensions.
    ///
    /// @throws ArithmeticException if they do not fit a long
    Shape lanes() {
        if (type.lanes() == 1) {
            return shape;
        }
        int last = shape.rank() - 1;
        return shape.withDim(last, Math.multiplyExact(shape.dim(last), (long) type.lanes()));
    }

    /// Row-major distances between neighbours, in elements. Those of dimensions without elements count as if they had
    /// one, as frameworks do.
    long[] strides() {
        long[] strides = new long[shape.rank()];
        long stride = 1;
        for (int d = strides.length - 1; d >= 0; d--) {
            strides[d] = stride;
            stride *= Math.max(1, shape.dim(d));
        }
        return strides;
    }

    /// Whether elements that lie `given` apart are row-major and without gaps. Where there is at most one element in a
    /// dimension its distance does not matter.
    boolean isContiguous(long[] given) {
        if (shape.elements() == 0) {
            return true;
        }
        long[] wanted = strides();
        for (int d = 0; d < wanted.length; d++) {
            if (shape.dim(d) != 1 && given[d] != wanted[d]) {
                return false;
            }
        }
        return true;
    }
}
