package io.fastsafetensors.backend.cuda;

import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.types.DeviceHandle;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import java.util.Set;

/// Device memory of its own.
final class CudaBuffer implements DeviceBuffer {
    private final long bytes;
    private final DeviceMemory.Block block;
    private final Lifetime lifetime;

    /// @param bytes what the caller asked for
    /// @param block at least that much
    CudaBuffer(DeviceMemory memory, long bytes, DeviceMemory.Block block, Set<Lifetime> open) {
        this.bytes = bytes;
        this.block = block;
        this.lifetime = new Lifetime("the buffer of " + bytes + " bytes", open, () -> memory.free(block));
    }

    @Override
    public long byteSize() {
        lifetime.requireOpen();
        return bytes;
    }

    @Override
    public DeviceHandle handle() {
        lifetime.requireOpen();
        return DeviceHandle.pointer(block.aligned());
    }

    /// Empty: the host cannot address it.
    @Override
    public Optional<MemorySegment> segment() {
        lifetime.requireOpen();
        return Optional.empty();
    }

    @Override
    public void close() {
        lifetime.close();
    }
}
