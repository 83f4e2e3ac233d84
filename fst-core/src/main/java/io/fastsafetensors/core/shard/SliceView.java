package io.fastsafetensors.core.shard;

import io.fastsafetensors.error.SliceException;
import io.fastsafetensors.error.SliceException.Reason;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.Strided;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import io.fastsafetensors.types.Slice;
import java.util.Arrays;

/// The elements that slices select in a row-major tensor: a shape, and a strided view.
///
/// @param shape the result's dimensions
/// @param view the elements, in elements of the tensor; of whole bytes (as [DType#U8]) for sub-byte dtypes that are not
///        contiguous
/// @param contiguous whether the elements follow one another
/// @param byteOffset the first byte, where contiguous
/// @param byteSize the bytes of the result
public record SliceView(Shape shape, Strided view, boolean contiguous, long byteOffset, long byteSize) {
    /// Resolves slices against a tensor; missing ones take their whole dimension.
    ///
    /// @param name the tensor's name, for messages
    /// @throws SliceException if there are too many, one is out of range, or a sub-byte element's byte is cut
    public static SliceView of(String name, DType dtype, Shape shape, Slice... slices) {
        if (slices.length > shape.rank()) {
            throw error(name, Reason.TOO_MANY_SLICES, slices.length + " slices of " + shape + ", rank " + shape.rank());
        }
        long[] rowStrides = rowMajor(shape);
        long[] dims = new long[shape.rank()];
        long[] strides = new long[shape.rank()];
        int rank = 0;
        long offset = 0;
        for (int d = 0; d < shape.rank(); d++) {
            Slice slice = d < slices.length ? slices[d] : Slice.all();
            long size = shape.dim(d);
            switch (slice) {
                case Slice.All() -> {
                    dims[rank] = size;
                    strides[rank++] = rowStrides[d];
                }
                case Slice.At(long index) -> offset += index(name, d, size, index, index) * rowStrides[d];
                case Slice.Range range -> {
                    Bounds bounds = Bounds.of(name, d, size, range);
                    offset += bounds.length() == 0 ? 0 : bounds.start() * rowStrides[d];
                    dims[rank] = bounds.length();
                    strides[rank++] = rowStrides[d] * range.step();
                }
            }
        }
        return of(name, dtype, new Strided(Shape.of(Arrays.copyOf(dims, rank)), offset, Arrays.copyOf(strides, rank)));
    }

    /// Elements of less than a byte need runs that begin and end on bytes; others fit anywhere.
    private static SliceView of(String name, DType dtype, Strided view) {
        Shape shape = view.shape();
        long elements = shape.elements();
        boolean contiguous = elements == 0 || isContiguous(shape, view.strides());
        if (dtype.isSubByte() && elements > 0) {
            return contiguous ? subByteRun(name, dtype, view, elements) : asBytes(name, dtype, view);
        }
        long bytes = dtype.byteSize(elements);
        return new SliceView(shape, view, contiguous, elements == 0 ? 0 : dtype.byteSize(view.offset()), bytes);
    }

    private static SliceView subByteRun(String name, DType dtype, Strided view, long elements) {
        long firstBit = view.offset() * dtype.bits();
        long bits = elements * dtype.bits();
        if ((firstBit & 7) != 0 || (bits & 7) != 0) {
            throw misaligned(name, dtype);
        }
        return new SliceView(view.shape(), view, true, firstBit / 8, bits / 8);
    }

    /// The runs of bytes that the slice takes of its tensor, at the first of them.
    ///
    /// @param dtype the tensor's
    public Runs runs(DType dtype) {
        return Runs.of(dtype, this);
    }

    /// The strides of a row-major tensor, in elements.
    static long[] rowMajor(Shape shape) {
        long[] strides = new long[shape.rank()];
        long stride = 1;
        for (int d = shape.rank() - 1; d >= 0; d--) {
            strides[d] = stride;
            stride *= Math.max(1, shape.dim(d));
        }
        return strides;
    }

    /// Dimensions of one element may have any stride.
    private static boolean isContiguous(Shape shape, long[] strides) {
        long expected = 1;
        for (int d = shape.rank() - 1; d >= 0; d--) {
            if (shape.dim(d) != 1) {
                if (strides[d] != expected) {
                    return false;
                }
                expected *= shape.dim(d);
            }
        }
        return true;
    }

    /// Counts a negative index from the end, as Python does.
    ///
    /// @param asked what the message names
    static long index(String name, int dim, long size, long index, long asked) {
        long resolved = index < 0 ? index + size : index;
        if (resolved < 0 || resolved >= size) {
            throw outOfRange(name, dim, size, asked);
        }
        return resolved;
    }

    static SliceException outOfRange(String name, int dim, long size, long asked) {
        return error(name, Reason.SLICE_OUT_OF_RANGE,
                "index " + asked + " of dimension " + dim + ", which has the size " + size);
    }

    static SliceException error(String name, Reason reason, String detail) {
        return new SliceException(reason, detail, Where.nowhere().withTensor(name));
    }

    /// The same elements as runs of whole bytes.
    ///
    /// The innermost dimensions that form one run become a dimension of bytes, and the others keep their strides in
    /// bytes; so a gather moves bytes and never looks inside one.
    ///
    /// @throws SliceException if a run does not begin and end on whole bytes
    private static SliceView asBytes(String name, DType dtype, Strided view) {
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
        return error(name, Reason.MISALIGNED_SLICE,
                "the slice of a " + dtype + " tensor does not begin and end on whole bytes");
    }

    /// A range resolved against a dimension.
    ///
    /// @param start the first index
    /// @param length how many indices
    private record Bounds(long start, long length) {
        static Bounds of(String name, int dim, long size, Slice.Range range) {
            return range.step() > 0 ? forwards(name, dim, size, range) : backwards(name, dim, size, range);
        }

        /// An end may be the size itself; unlike in Python, it may not be beyond.
        ///
        /// The reference refuses an end beyond the size; Python would cut it off.
        private static Bounds forwards(String name, int dim, long size, Slice.Range range) {
            boolean fromStart = range.start() == Slice.OPEN;
            long start = fromStart ? 0 : index(name, dim, size, range.start(), range.start());
            long stop = range.stop() == Slice.OPEN ? size : range.stop() < 0 ? range.stop() + size : range.stop();
            if (stop > size || stop < 0) {
                throw outOfRange(name, dim, size, range.stop() - 1);
            }
            return new Bounds(start, stop <= start ? 0 : Math.ceilDiv(stop - start, range.step()));
        }

        /// Counted from the start downwards, so the result is in reversed order.
        private static Bounds backwards(String name, int dim, long size, Slice.Range range) {
            long start = range.start() == Slice.OPEN ? size - 1
                    : index(name, dim, size, range.start(), range.start());
            long stop = range.stop() == Slice.OPEN ? -1 : index(name, dim, size, range.stop(), range.stop());
            if (start <= stop || range.step() == Long.MIN_VALUE) {
                return new Bounds(Math.max(0, start), start <= stop ? 0 : 1);
            }
            return new Bounds(start, Math.ceilDiv(start - stop, -range.step()));
        }
    }

    /// Walks over the runs of bytes that a slice takes of a tensor, by rising offset: where each begins in the tensor
    /// and where it goes in the result. Allocates nothing on the way; for one thread.
    public static final class Runs {
        private final long[] counts;
        private final long[] sourceStrides;
        private final long[] targetStrides;
        private final long[] index;
        private final long runBytes;
        private long remaining;
        private long source;
        private long target;

        private Runs(int dims, long runBytes, long runs) {
            this.counts = new long[dims];
            this.sourceStrides = new long[dims];
            this.targetStrides = new long[dims];
            this.index = new long[dims];
            this.runBytes = runBytes;
            this.remaining = runs;
        }

        static Runs of(DType dtype, SliceView slice) {
            if (slice.contiguous()) {
                Runs one = new Runs(0, slice.byteSize(), slice.byteSize() == 0 ? 0 : 1);
                one.source = slice.byteOffset();
                return one;
            }
            long unit = dtype.isSubByte() ? 1 : dtype.bits() / 8;
            Strided view = slice.view();
            Shape shape = view.shape();
            int outer = shape.rank();
            long run = 1;
            while (outer > 0 && (view.stride(outer - 1) == run || shape.dim(outer - 1) == 1)) {
                run *= shape.dim(--outer);
            }
            long runs = 1;
            for (int d = 0; d < outer; d++) {
                runs *= shape.dim(d);
            }
            Runs walk = new Runs(outer, run * unit, runs);
            walk.source = view.offset() * unit;
            long targetStride = walk.runBytes;
            for (int d = outer - 1; d >= 0; d--) {
                walk.dimension(d, shape.dim(d), view.stride(d) * unit, targetStride);
                targetStride *= shape.dim(d);
            }
            return walk;
        }

        /// What is walked backwards in the tensor is walked backwards in the result instead.
        private void dimension(int d, long count, long sourceStride, long targetStride) {
            boolean backwards = sourceStride < 0;
            counts[d] = count;
            sourceStrides[d] = Math.abs(sourceStride);
            targetStrides[d] = backwards ? -targetStride : targetStride;
            if (backwards) {
                source += (count - 1) * sourceStride;
                target += (count - 1) * targetStride;
            }
        }

        /// Whether there is a run here; false after the last.
        public boolean hasRun() {
            return remaining > 0;
        }

        /// The bytes of each run.
        public long runBytes() {
            return runBytes;
        }

        /// Where this run begins in the tensor, in bytes.
        public long source() {
            return source;
        }

        /// Where this run begins in the result, in bytes.
        public long target() {
            return target;
        }

        /// Goes to the next run.
        public void advance() {
            remaining--;
            for (int d = counts.length - 1; d >= 0; d--) {
                source += sourceStrides[d];
                target += targetStrides[d];
                if (++index[d] < counts[d]) {
                    return;
                }
                index[d] = 0;
                source -= counts[d] * sourceStrides[d];
                target -= counts[d] * targetStrides[d];
            }
        }
    }
}
