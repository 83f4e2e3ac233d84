package io.fastsafetensors.testkit.reference;

import io.fastsafetensors.spi.ScaleGrid;
import io.fastsafetensors.types.DType;
import java.lang.foreign.MemorySegment;

/// Computes what [io.fastsafetensors.spi.Kernels#dequantize] must, element by element. Stateless.
///
/// The product of two F32 has at most 48 significant bits, so an F64 holds it exactly; it is rounded to F32 from there, and
/// then to the result. Every NaN is the positive quiet one without payload.
public final class DequantizationReference {
    private DequantizationReference() {
    }

    /// Multiplies one raw element.
    ///
    /// @param raw the element, in the low bits
    /// @param scale the bits of an F32
    /// @return the product, the bits above it 0
    public static long multiply(DType from, long raw, int scale, DType to) {
        float element = Float.intBitsToFloat((int) ScalarReference.convert(from, raw, DType.F32));
        double exact = (double) element * (double) Float.intBitsToFloat(scale);
        if (Double.isNaN(exact)) {
            return ScalarReference.convert(DType.F32, 0x7FC0_0000, to);
        }
        long single = ScalarReference.convert(DType.F64, Double.doubleToRawLongBits(exact), DType.F32);
        return ScalarReference.convert(DType.F32, single, to);
    }

    /// Multiplies consecutive elements.
    ///
    /// @param source the elements
    /// @param scales F32, from number `firstScale` of the tensor's scales on
    /// @param firstElement the index of the first element in the tensor
    public static void multiply(MemorySegment source, DType from, MemorySegment scales, ScaleGrid grid,
            long firstElement, long firstScale, MemorySegment target, DType to, long elements) {
        for (long i = 0; i < elements; i++) {
            long element = firstElement + i;
            long row = element / grid.columns();
            long scale =
                    row / grid.rows() * grid.matrixStride() + row % grid.rows() / grid.blockRows() * grid.rowStride()
                            + element % grid.columns() / grid.blockColumns();
            int bits = (int) Elements.get(scales, DType.F32, scale - firstScale);
            Elements.set(target, to, i, multiply(from, Elements.get(source, from, i), bits, to));
        }
    }
}
