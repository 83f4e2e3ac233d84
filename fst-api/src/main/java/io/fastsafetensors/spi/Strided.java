package io.fastsafetensors.spi;

import io.fastsafetensors.types.Shape;
import java.util.Arrays;

/// A strided view of elements: what a gather reads. Immutable.
public final class Strided {
    private final Shape shape;
    private final long offset;
    private final long[] strides;

    /// A view.
    ///
    /// @param shape the dimensions of the result, outermost first
    /// @param offset the index, in elements from the start of the source slice, of the result's first element
    /// @param strides for each dimension the distance between neighbours, in elements; may be negative or zero
    /// @throws IllegalArgumentException if the ranks differ
    public Strided(Shape shape, long offset, long[] strides) {
        if (shape.rank() != strides.length) {
            throw new IllegalArgumentException(shape + " with " + strides.length + " strides");
        }
        this.shape = shape;
        this.offset = offset;
        this.strides = strides.clone();
    }

    /// The dimensions of the result, outermost first.
    public Shape shape() {
        return shape;
    }

    /// The index of the result's first element, in elements from the start of the source slice.
    public long offset() {
        return offset;
    }

    /// The distance between neighbours along dimension `dim`, in elements.
    public long stride(int dim) {
        return strides[dim];
    }

    /// A copy of the distances of all dimensions.
    public long[] strides() {
        return strides.clone();
    }

    /// The smallest element index that is read; meaningless for an empty shape.
    public long lowest() {
        return reach(false);
    }

    /// The largest element index that is read; meaningless for an empty shape.
    public long highest() {
        return reach(true);
    }

    private long reach(boolean up) {
        long index = offset;
        for (int d = 0; d < strides.length; d++) {
            if (strides[d] > 0 == up) {
                index += strides[d] * (shape.dim(d) - 1);
            }
        }
        return index;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Strided view && shape.equals(view.shape) && offset == view.offset
                && Arrays.equals(strides, view.strides);
    }

    @Override
    public int hashCode() {
        return 31 * (31 * shape.hashCode() + Long.hashCode(offset)) + Arrays.hashCode(strides);
    }

    /// The shape, offset and strides.
    @Override
    public String toString() {
        return shape + " from " + offset + " by " + Arrays.toString(strides);
    }
}
