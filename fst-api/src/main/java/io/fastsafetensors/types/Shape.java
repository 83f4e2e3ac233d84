package io.fastsafetensors.types;

import java.util.Arrays;
import java.util.Objects;

/// The dimensions of a tensor, outermost first. Rank 0 is a scalar. Immutable; sizes are longs, never negative.
///
/// ```java
/// Shape shape = Shape.of(2, 3);                               // shape.elements() is 6
/// ```
public final class Shape {
    private static final Shape SCALAR = new Shape(new long[0]);

    private final long[] dims;

    private Shape(long[] dims) {
        this.dims = dims;
    }

    /// A shape of the given dimensions.
    ///
    /// @throws IllegalArgumentException if one is negative
    public static Shape of(long... dims) {
        Objects.requireNonNull(dims, "dims");
        for (long dim : dims) {
            if (dim < 0) {
                throw new IllegalArgumentException("negative dimension in " + Arrays.toString(dims));
            }
        }
        return dims.length == 0 ? SCALAR : new Shape(dims.clone());
    }

    /// How many dimensions.
    public int rank() {
        return dims.length;
    }

    /// The size of dimension `index`, from 0.
    public long dim(int index) {
        return dims[index];
    }

    /// A copy of the dimensions.
    public long[] toArray() {
        return dims.clone();
    }

    /// The product of the dimensions, 1 for a scalar.
    ///
    /// @throws ArithmeticException if it does not fit a long
    public long elements() {
        long product = 1;
        for (long dim : dims) {
            product = Math.multiplyExact(product, dim);
        }
        return product;
    }

    /// This shape with dimension `index` replaced by `size`.
    public Shape withDim(int index, long size) {
        long[] copy = dims.clone();
        copy[index] = size;
        return of(copy);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Shape shape && Arrays.equals(dims, shape.dims);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(dims);
    }

    /// `[a,b,c]`, as the header writes it.
    @Override
    public String toString() {
        StringBuilder text = new StringBuilder("[");
        for (int i = 0; i < dims.length; i++) {
            text.append(i == 0 ? "" : ",").append(dims[i]);
        }
        return text.append(']').toString();
    }
}
