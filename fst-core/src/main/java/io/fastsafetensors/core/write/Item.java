package io.fastsafetensors.core.write;

import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.error.FormatError;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.util.Comparator;

/// A tensor to be written, with what its source said of it when it was asked, once.
record Item(TensorSource source, String name, DType dtype, Shape shape, long byteSize) {
    /// The reference serializer's order: largest dtype first, so that every tensor is aligned, then by name.
    static final Comparator<Item> IN_FILE = Comparator.comparing(Item::dtype).reversed().thenComparing(Item::name,
            JsonBytes.BY_CODE_POINT);

    /// @throws FormatException if dtype and shape make no whole number of bytes
    static Item of(TensorSource source) {
        String name = source.name();
        DType dtype = source.dtype();
        Shape shape = source.shape();
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
        return new Item(source, name, dtype, shape, bits / 8);
    }
}
