package io.fastsafetensors.core.dlpack;

import io.fastsafetensors.api.DlpackVersion;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.util.Optional;

/// A dtype and shape of ours as DLPack says them, and back. The two differ where elements are smaller than 16 bits.
///
/// @param type the element type
/// @param shape the dimensions, in elements of that type
record DlpackElements(DataType type, Shape shape) {
    private static final int PAIR = 2;

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
