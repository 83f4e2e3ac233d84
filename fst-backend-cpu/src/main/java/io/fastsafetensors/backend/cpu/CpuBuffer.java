package io.fastsafetensors.backend.cpu;

import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.types.DeviceHandle;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/// A buffer of host memory. [#close()] throws [IllegalStateException], and changes nothing, while a native call in
/// flight uses the segment.
final class CpuBuffer implements DeviceBuffer {
    private final OwnedMemory memory;

    CpuBuffer(OwnedMemory memory) {
        this.memory = memory;
    }

    @Override
    public long byteSize() {
        return memory.segment().byteSize();
    }

    @Override
    public DeviceHandle handle() {
        return DeviceHandle.pointer(memory.segment().address());
    }

    @Override
    public Optional<MemorySegment> segment() {
        return Optional.of(memory.segment());
    }

    @Override
    public void close() {
        memory.close();
    }
}
