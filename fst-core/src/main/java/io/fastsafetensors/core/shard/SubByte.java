package io.fastsafetensors.core.shard;

import io.fastsafetensors.error.SliceException;
import io.fastsafetensors.error.SliceException.Reason;
import io.fastsafetensors.spi.Strided;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.util.Arrays;

/// Strided views of elements smaller than a byte, turned into views of the bytes they fill.
final class SubByte {
    private SubByte() {
    }

    /// The same elements as runs of whole bytes.
    ///
    /// @throws SliceException if a run does not begin and end on whole bytes
    static SliceView asBytes(String name, DType dtype, Strided view) {
        Shape shape = view.shape();
        long[] strides = view.strides();
        int outer = shape.rank();
        long run = 1;
        while (outer > 0 && (strides[outer - 1] == run || shape.dim(outer - 1) == 1)) {
            run *= shape.dim(--outer);
        }
        long[] dims = new long[outer + 1];
        long[] byteStrides = new long[outer + 1];
        for (int d = 0; d < outer; d++) {
            dims[d] = shape.dim(d);
            byteStrides[d] = wholeBytes(name, dtype, strides[d]);
        }
        dims[outer] = wholeBytes(name, dtype, run);
        byteStrides[outer] = 1;
        Strided bytes = new Strided(Shape.of(dims), wholeBytes(name, dtype, view.offset()), byteStrides);
        return new SliceView(shape, bytes, false, bytes.offset(), Arrays.stream(dims).reduce(1, (a, b) -> a * b));
    }

    private static long wholeBytes(String name, DType dtype, long elements) {
        long bits = elements * dtype.bits();
        if ((bits & 7) != 0) {
            throw misaligned(name, dtype);
        }
        return bits / 8;
    }

    static SliceException misaligned(String name, DType dtype) {
        return SliceView.error(name, Reason.MISALIGNED_SLICE,
                "the slice of a " + dtype + " tensor does not begin and end on whole bytes");
    }
}
