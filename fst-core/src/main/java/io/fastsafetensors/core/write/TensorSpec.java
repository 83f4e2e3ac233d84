package io.fastsafetensors.core.write;

import io.fastsafetensors.error.FormatError;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.util.Comparator;

/// A tensor to be written.
///
/// @param name its name
/// @param dtype its dtype
/// @param shape its shape
/// @param byteSize how many bytes it has
public record TensorSpec(String name, DType dtype, Shape shape, long byteSize) {
    /// The reference serializer's order: largest dtype first, so that every tensor is aligned, then by name.
    private static final Comparator<TensorSpec> REFERENCE = Comparator.comparing(TensorSpec::dtype).reversed()
            .thenComparing(TensorSpec::name, JsonBytes.BY_CODE_POINT);
    /// Where the reference lets the data begin, and tensors by their dtype.
    private static final int REFERENCE_ALIGNMENT = 8;

    /// The tensor of that dtype and shape.
    ///
    /// @throws FormatException if dtype and shape make no whole number of bytes
    public static TensorSpec of(String name, DType dtype, Shape shape) {
        long bits;
        try {
            bits = Math.multiplyExact(shape.elements(), (long) dtype.bits());
        } catch (ArithmeticException e) {
            throw new FormatException(FormatError.VALIDATION_OVERFLOW,
                    dtype + " of shape " + shape + " has more bits than fit 64 bits", Where.nowhere().withTensor(name),
                    e);
        }
        if (bits % 8 != 0) {
            throw new FormatException(FormatError.MISALIGNED_SLICE,
                    bits + " bits of " + dtype + " " + shape + " do not fill whole bytes: pad the last dimension",
                    Where.nowhere().withTensor(name));
        }
        return new TensorSpec(name, dtype, shape, bits / 8);
    }

    /// The order of a file's tensors. Beyond the reference's alignment, those come first whose size is a multiple of it,
    /// then those of half of it, and so on: the format allows no padding between tensors, so this aligns each as well as
    /// its own size can be.
    static Comparator<TensorSpec> inFile(int dataAlignment) {
        if (dataAlignment <= REFERENCE_ALIGNMENT) {
            return REFERENCE;
        }
        return Comparator.comparingLong((TensorSpec item) -> item.byteSize == 0 ? dataAlignment
                : Math.min(dataAlignment, Long.lowestOneBit(item.byteSize))).reversed().thenComparing(REFERENCE);
    }
}
