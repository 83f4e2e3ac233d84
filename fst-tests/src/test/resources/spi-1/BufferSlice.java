package io.fastsafetensors.spi;

import java.util.Objects;

public record BufferSlice(DeviceBuffer buffer, long offset, long byteSize) {
    public BufferSlice {
        Objects.checkFromIndexSize(offset, byteSize, buffer.byteSize());
    }

    public static BufferSlice of(DeviceBuffer buffer) {
        return new BufferSlice(buffer, 0, buffer.byteSize());
    }

    public BufferSlice part(long from, long bytes) {
        Objects.checkFromIndexSize(from, bytes, byteSize);
        return new BufferSlice(buffer, offset + from, bytes);
    }
}
