package io.fastsafetensors.backend.rocm.hip;

import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.types.DeviceHandle;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/// Memory of the device, which the host cannot address.
final class HipBuffer implements DeviceBuffer {
    private final long address;
    private final long bytes;
    private final Handle handle;

    HipBuffer(long address, long bytes, Handle handle) {
        this.address = address;
        this.bytes = bytes;
        this.handle = handle;
    }

    @Override
    public long byteSize() {
        handle.requireOpen();
        return bytes;
    }

    @Override
    public DeviceHandle handle() {
        handle.requireOpen();
        return DeviceHandle.pointer(address);
    }

    @Override
    public Optional<MemorySegment> segment() {
        handle.requireOpen();
        return Optional.empty();
    }

    @Override
    public void close() {
        handle.close();
    }
}
