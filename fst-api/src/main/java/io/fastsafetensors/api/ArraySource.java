package io.fastsafetensors.api;

import io.fastsafetensors.error.Printable;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;
import java.util.Objects;

/// A source of a tensor that lies in the program's memory.
///
/// @param name its name
/// @param dtype its dtype
/// @param shape its shape
/// @param content its bytes, in an array or in native memory
record ArraySource(String name, DType dtype, Shape shape, MemorySegment content) implements TensorSource {
    private static final int WINDOW = 1 << 20;

    /// @throws IllegalArgumentException if there are more or fewer bytes than dtype and shape say
    ArraySource {
        Objects.requireNonNull(name, "name");
        Objects.requireNonNull(dtype, "dtype");
        Objects.requireNonNull(shape, "shape");
        long expected = dtype.byteSize(shape.elements());
        if (content.byteSize() != expected) {
            throw new IllegalArgumentException(
                    "tensor \"" + Printable.escape(name) + "\", " + dtype + " " + shape + ", has "
                            + expected + " bytes, the values given " + content.byteSize());
        }
    }

    @Override
    public void writeTo(WritableByteChannel channel) throws IOException {
        ByteBuffer window = ByteBuffer.allocateDirect((int) Math.min(WINDOW, content.byteSize()));
        for (long at = 0; at < content.byteSize(); at += window.capacity()) {
            window.clear().limit((int) Math.min(window.capacity(), content.byteSize() - at));
            MemorySegment.ofBuffer(window).copyFrom(content.asSlice(at, window.remaining()));
            while (window.hasRemaining()) {
                channel.write(window);
            }
        }
    }
}
