package io.fastsafetensors.examples.llama;

import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.types.Shape;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.stream.IntStream;

/// A matrix or vector in the memory of its tensor. Elements widen to `float` when they are read, so a BF16 model takes
/// two bytes a weight, on disk as in memory. Usable while the tensor is open; afterwards every access throws
/// [IllegalStateException].
final class Weight {
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN);

    /// Reads one element.
    @FunctionalInterface
    private interface Elements {
        float at(long index);
    }

    private final Elements elements;
    private final int rows;
    private final int columns;

    /// @throws IllegalArgumentException if the tensor has another shape, or is neither F32 nor BF16 nor F16
    Weight(Tensor tensor, int rows, int columns) {
        Shape shape = tensor.shape();
        if (!shape.equals(Shape.of(rows, columns)) && !(rows == 1 && shape.equals(Shape.of(columns)))) {
            throw new IllegalArgumentException(
                    tensor.name() + " has shape " + shape + ", expected " + rows + " x " + columns);
        }
        MemorySegment memory = tensor.segment();
        elements = switch (tensor.dtype()) {
            case F32 -> index -> memory.getAtIndex(FLOAT, index);
            case BF16 -> index -> Float.intBitsToFloat(memory.getAtIndex(SHORT, index) << 16);
            case F16 -> index -> Float.float16ToFloat(memory.getAtIndex(SHORT, index));
            default -> throw new IllegalArgumentException(
                    tensor.name() + " is " + tensor.dtype() + "; load it with LoaderBuilder.dtype(DType.F32)");
        };
        this.rows = rows;
        this.columns = columns;
    }

    /// One row, copied.
    float[] row(int row) {
        float[] copy = new float[columns];
        for (int i = 0; i < columns; i++) {
            copy[i] = elements.at((long) row * columns + i);
        }
        return copy;
    }

    /// The product of this matrix and a vector. Rows are shared among the processors.
    float[] times(float[] vector) {
        float[] product = new float[rows];
        IntStream.range(0, rows).parallel().forEach(row -> product[row] = dot(row, vector));
        return product;
    }

    private float dot(int row, float[] vector) {
        long first = (long) row * columns;
        float sum = 0;
        for (int i = 0; i < columns; i++) {
            sum += elements.at(first + i) * vector[i];
        }
        return sum;
    }
}
