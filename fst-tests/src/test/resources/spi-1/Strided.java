package io.fastsafetensors.spi;

import io.fastsafetensors.types.Shape;
import java.util.Arrays;

public final class Strided {
    private final Shape shape;
    private final long offset;
    private final long[] strides;

    public Strided(Shape shape, long offset, long[] strides) {
        if (shape.rank() != strides.length) {
            throw new IllegalArgumentException(shape + " with " + strides.length + " strides");
        }
        this.shape = shape;
        this.offset = offset;
        this.strides = strides.clone();
    }

    public Shape shape() {
        return shape;
    }

    public long offset() {
        return offset;
    }

    public long stride(int dim) {
        return strides[dim];
    }

    public long[] strides() {
        return strides.clone();
    }

    public long lowest() {
        return reach(false);
    }

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

    @Override
    public String toString() {
        return shape + " from " + offset + " by " + Arrays.toString(strides);
    }
}
