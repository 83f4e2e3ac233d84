package io.fastsafetensors.core.shard;

import io.fastsafetensors.error.SliceException;
import io.fastsafetensors.error.SliceException.Reason;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import io.fastsafetensors.types.TensorInfo;

/// A rank's part of a row-major tensor cut along one dimension: of every row, the same run of bytes. A row is what lies
/// under one index of the dimensions before the cut one; a tensor cut along dimension 0 is one row.
///
/// @param dim the dimension; −1 if the part is the whole tensor
/// @param shape the part's dimensions
/// @param rows how many rows, 0 if the part is empty
/// @param rowBytes the bytes of a row of the whole tensor
/// @param runStart the first byte of a row that belongs to the part
/// @param runBytes how many bytes of a row belong to it
public record Part(int dim, Shape shape, long rows, long rowBytes, long runStart, long runBytes) {
    /// The whole tensor.
    public static Part whole(TensorInfo tensor) {
        return new Part(-1, tensor.shape(), tensor.byteSize() == 0 ? 0 : 1, tensor.byteSize(), 0, tensor.byteSize());
    }

    /// A rank's part of a tensor.
    ///
    /// @param dim the dimension that is cut; −1 for the whole tensor
    /// @throws SliceException if there is no such dimension, or a sub-byte element's byte is cut
    public static Part of(TensorInfo tensor, int dim, int rank, int ranks) {
        requireDim(tensor.name(), tensor.shape(), dim);
        if (dim < 0) {
            return whole(tensor);
        }
        Shape whole = tensor.shape();
        Shard shard = Shard.of(whole.dim(dim), rank, ranks);
        Shape shape = whole.withDim(dim, shard.length());
        if (shape.elements() == 0) {
            return new Part(dim, shape, 0, 0, 0, 0);
        }
        if (shard.length() == whole.dim(dim)) {
            return new Part(dim, whole, 1, tensor.byteSize(), 0, tensor.byteSize());
        }
        long inner = 1;
        for (int d = dim + 1; d < whole.rank(); d++) {
            inner *= whole.dim(d);
        }
        long rows = 1;
        for (int d = 0; d < dim; d++) {
            rows *= whole.dim(d);
        }
        return new Part(dim, shape, rows, rows == 1 ? tensor.byteSize() : bytes(tensor, inner * whole.dim(dim)),
                bytes(tensor, inner * shard.start()), bytes(tensor, inner * shard.length()));
    }

    /// Refuses a dimension that a tensor does not have.
    ///
    /// @throws SliceException unless −1 (whole) ≤ dim < rank
    public static void requireDim(String name, Shape shape, int dim) {
        if (dim < -1 || dim >= shape.rank()) {
            throw new SliceException(Reason.INVALID_DIMENSION, "dimension " + dim + " of " + shape
                    + "; expected −1 (whole) to " + (shape.rank() - 1), Where.nowhere().withTensor(name));
        }
    }

    /// Refuses a cut that some rank's part does not allow, on every rank alike.
    ///
    /// @throws SliceException if there is no such dimension, or a sub-byte element's byte is cut on any rank
    public static void requireAll(TensorInfo tensor, int dim, int ranks) {
        requireDim(tensor.name(), tensor.shape(), dim);
        if (dim >= 0 && tensor.dtype().isSubByte()) {
            for (int r = 0; r < ranks; r++) {
                of(tensor, dim, r, ranks);
            }
        }
    }

    private static long bytes(TensorInfo tensor, long elements) {
        DType dtype = tensor.dtype();
        if (dtype.isSubByte() && (elements * dtype.bits() & 7) != 0) {
            throw SliceView.misaligned(tensor.name(), dtype);
        }
        return dtype.byteSize(elements);
    }

    /// The bytes of the part.
    public long byteSize() {
        return rows * runBytes;
    }

    /// Whether it is one run of bytes of the tensor.
    public boolean isContiguous() {
        return rows <= 1 || runBytes == rowBytes;
    }

    /// The offset in the tensor of the part's first byte.
    public long firstByte() {
        return runStart;
    }

    /// The offset in the tensor just past the part's last byte.
    public long endByte() {
        return rows == 0 ? runStart : (rows - 1) * rowBytes + runStart + runBytes;
    }

    /// How many bytes of the part lie before byte `offset` of the tensor.
    public long before(long offset) {
        if (rows == 0) {
            return 0;
        }
        long row = Math.min(rows - 1, offset / rowBytes);
        return row * runBytes + Math.clamp(offset - row * rowBytes - runStart, 0L, runBytes);
    }

    /// One rank's indices of a dimension: blocks of ceil(size / ranks), the last ones smaller or empty.
    ///
    /// @param start the first index; the dimension's size if there is none
    /// @param length how many
    public record Shard(long start, long length) {
        /// The part of a rank.
        ///
        /// @param size the dimension's size
        /// @param rank which part, from 0
        /// @param ranks how many parts
        public static Shard of(long size, int rank, int ranks) {
            long block = Math.ceilDiv(size, (long) ranks);
            long start = block == 0 || rank >= Math.ceilDiv(size, block) ? size : block * rank;
            return new Shard(start, Math.min(block, size - start));
        }
    }
}
