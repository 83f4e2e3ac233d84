package io.fastsafetensors.spi;

import java.lang.foreign.MemorySegment;

public interface CopyStream extends AutoCloseable {
    void copyToDevice(MemorySegment source, DeviceBuffer target, long targetOffset);

    void copyToHost(DeviceBuffer source, long sourceOffset, MemorySegment target);

    void copy(DeviceBuffer source, long sourceOffset, DeviceBuffer target, long targetOffset, long bytes);

    Fence fence();

    void waitFor(Fence fence);

    void synchronize();

    @Override
    void close();
}
