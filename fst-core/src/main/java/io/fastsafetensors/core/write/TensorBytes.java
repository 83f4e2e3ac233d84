package io.fastsafetensors.core.write;

import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;

/// A loaded tensor as a source for the writer.
///
/// @param tensor stays open until it is written
/// @param name its name
/// @param dtype its dtype
/// @param shape its shape
public record TensorBytes(Tensor tensor, String name, DType dtype, Shape shape) implements TensorSource {
    private static final long WINDOW = 1L << 30;

    /// The tensor as it is now.
    public static TensorBytes of(Tensor tensor) {
        return new TensorBytes(tensor, tensor.name(), tensor.dtype(), tensor.shape());
    }

    @Override
    public void writeTo(WritableByteChannel channel) throws IOException {
        if (tensor.isHostAddressable()) {
            write(tensor.segment(), channel);
            return;
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment copy = arena.allocate(tensor.byteSize(), 8);
            tensor.copyTo(copy);
            write(copy, channel);
        }
    }

    private static void write(MemorySegment bytes, WritableByteChannel channel) throws IOException {
        for (long at = 0; at < bytes.byteSize(); at += WINDOW) {
            ByteBuffer window = bytes.asSlice(at, Math.min(WINDOW, bytes.byteSize() - at)).asByteBuffer();
            while (window.hasRemaining()) {
                channel.write(window);
            }
        }
    }
}
