package io.fastsafetensors.api;

import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.WritableByteChannel;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/// A tensor to be written: what it is, and its bytes when the writer asks for them.
///
/// ```java
/// Safetensors.write(path, TensorSource.of("w", Shape.of(2, 3), new float[] {1, 2, 3, 4, 5, 6}));
/// ```
public interface TensorSource {
    /// The name.
    String name();

    /// The element type.
    DType dtype();

    /// The dimensions.
    Shape shape();

    /// Writes exactly the tensor's bytes, little-endian, row-major. Called once, in the file's order.
    void writeTo(WritableByteChannel channel) throws IOException;

    /// A loaded tensor; must stay open until it is written.
    static TensorSource of(Tensor tensor) {
        Objects.requireNonNull(tensor, "tensor");
        return LoaderProvider.instance().sourceOf(Objects.requireNonNull(tensor, "tensor"));
    }

    /// A loaded tensor under another name; must stay open until it is written.
    static TensorSource of(String name, Tensor tensor) {
        Objects.requireNonNull(name, "name");
        Objects.requireNonNull(tensor, "tensor");
        return of(tensor).named(name);
    }

    /// Loaded tensors by the names to write them under, in the map's order; they must stay open until they are written.
    static List<TensorSource> of(Map<String, Tensor> tensors) {
        Objects.requireNonNull(tensors, "tensors");
        List<TensorSource> sources = new ArrayList<>(tensors.size());
        tensors.forEach((name, tensor) -> sources.add(of(name, tensor)));
        return sources;
    }

    /// Floats, as F32.
    ///
    /// @param values the elements in row-major order; unchanged until they are written
    /// @throws IllegalArgumentException if there are more or fewer than the shape says
    static TensorSource of(String name, Shape shape, float[] values) {
        return new ArraySource(name, DType.F32, shape, MemorySegment.ofArray(Objects.requireNonNull(values, "values")));
    }

    /// Doubles, as F64.
    ///
    /// @param values the elements in row-major order; unchanged until they are written
    /// @throws IllegalArgumentException if there are more or fewer than the shape says
    static TensorSource of(String name, Shape shape, double[] values) {
        return new ArraySource(name, DType.F64, shape, MemorySegment.ofArray(Objects.requireNonNull(values, "values")));
    }

    /// Longs, as I64.
    ///
    /// @param values the elements in row-major order; unchanged until they are written
    /// @throws IllegalArgumentException if there are more or fewer than the shape says
    static TensorSource of(String name, Shape shape, long[] values) {
        return new ArraySource(name, DType.I64, shape, MemorySegment.ofArray(Objects.requireNonNull(values, "values")));
    }

    /// Ints, as I32.
    ///
    /// @param values the elements in row-major order; unchanged until they are written
    /// @throws IllegalArgumentException if there are more or fewer than the shape says
    static TensorSource of(String name, Shape shape, int[] values) {
        return new ArraySource(name, DType.I32, shape, MemorySegment.ofArray(Objects.requireNonNull(values, "values")));
    }

    /// Shorts, as I16.
    ///
    /// @param values the elements in row-major order; unchanged until they are written
    /// @throws IllegalArgumentException if there are more or fewer than the shape says
    static TensorSource of(String name, Shape shape, short[] values) {
        return new ArraySource(name, DType.I16, shape, MemorySegment.ofArray(Objects.requireNonNull(values, "values")));
    }

    /// Booleans, as BOOL.
    ///
    /// @param values the elements in row-major order; copied
    /// @throws IllegalArgumentException if there are more or fewer than the shape says
    static TensorSource of(String name, Shape shape, boolean[] values) {
        Objects.requireNonNull(values, "values");
        byte[] bytes = new byte[values.length];
        for (int i = 0; i < values.length; i++) {
            bytes[i] = (byte) (values[i] ? 1 : 0);
        }
        return of(name, DType.BOOL, shape, bytes);
    }

    /// A tensor's bytes, of any dtype: little-endian, row-major.
    ///
    /// @param bytes unchanged until they are written
    /// @throws IllegalArgumentException if there are more or fewer than dtype and shape say
    static TensorSource of(String name, DType dtype, Shape shape, byte[] bytes) {
        return new ArraySource(name, dtype, shape, MemorySegment.ofArray(Objects.requireNonNull(bytes, "bytes")));
    }

    /// A tensor's bytes, of any dtype: little-endian, row-major.
    ///
    /// @param bytes alive and unchanged until they are written
    /// @throws IllegalArgumentException if there are more or fewer than dtype and shape say
    static TensorSource of(String name, DType dtype, Shape shape, MemorySegment bytes) {
        return new ArraySource(name, dtype, shape, Objects.requireNonNull(bytes, "bytes"));
    }

    /// Bytes that are made when they are asked for.
    static TensorSource of(String name, DType dtype, Shape shape, Bytes bytes) {
        Objects.requireNonNull(name, "name");
        Objects.requireNonNull(dtype, "dtype");
        Objects.requireNonNull(shape, "shape");
        Objects.requireNonNull(bytes, "bytes");
        record Given(String name, DType dtype, Shape shape, Bytes bytes) implements TensorSource {
            @Override
            public void writeTo(WritableByteChannel channel) throws IOException {
                bytes.writeTo(channel);
            }
        }
        return new Given(Objects.requireNonNull(name, "name"), Objects.requireNonNull(dtype, "dtype"),
                Objects.requireNonNull(shape, "shape"), Objects.requireNonNull(bytes, "bytes"));
    }

    /// The same tensor under another name.
    default TensorSource named(String name) {
        Objects.requireNonNull(name, "name");
        return of(name, dtype(), shape(), this::writeTo);
    }

    /// Something that writes bytes.
    @FunctionalInterface
    interface Bytes {
        /// Writes them all.
        void writeTo(WritableByteChannel channel) throws IOException;
    }
}
