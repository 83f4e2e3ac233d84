package io.fastsafetensors.api;

import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.io.IOException;
import java.nio.channels.WritableByteChannel;
import java.util.Objects;

/// A tensor to be written: what it is, and its bytes when the writer asks for them.
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
        return LoaderProvider.instance().sourceOf(tensor);
    }

    /// Bytes of your own.
    static TensorSource of(String name, DType dtype, Shape shape, Bytes bytes) {
        record Given(String name, DType dtype, Shape shape, Bytes bytes) implements TensorSource {
            @Override
            public void writeTo(WritableByteChannel channel) throws IOException {
                bytes.writeTo(channel);
            }
        }
        return new Given(Objects.requireNonNull(name), dtype, shape, bytes);
    }

    /// Something that writes bytes.
    @FunctionalInterface
    interface Bytes {
        /// Writes them all.
        void writeTo(WritableByteChannel channel) throws IOException;
    }
}
