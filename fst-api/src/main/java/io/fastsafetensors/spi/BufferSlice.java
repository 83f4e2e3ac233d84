package io.fastsafetensors.spi;

import java.util.Objects;

/// Bytes of a device buffer: what copies, kernels and collectives work on. Owns nothing.
///
/// @param buffer the allocation
/// @param offset the first byte
/// @param byteSize how many bytes
public record BufferSlice(DeviceBuffer buffer, long offset, long byteSize) {
    /// @throws IndexOutOfBoundsException if the range is not inside the buffer
    public BufferSlice {
        Objects.checkFromIndexSize(offset, byteSize, buffer.byteSize());
    }

    /// The whole buffer.
    public static BufferSlice of(DeviceBuffer buffer) {
        return new BufferSlice(buffer, 0, buffer.byteSize());
    }

    /// A part of this slice.
    ///
    /// @throws IndexOutOfBoundsException if it is not inside
    public BufferSlice part(long from, long bytes) {
        Objects.checkFromIndexSize(from, bytes, byteSize);
        return new BufferSlice(buffer, offset + from, bytes);
    }
}
