package io.fastsafetensors.testkit.host;

import io.fastsafetensors.spi.Capability;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.types.DeviceHandle;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;

/// One arena.
final class HostBuffer implements DeviceBuffer {
    private final HostBackend backend;
    private final Arena arena = Arena.ofShared();
    private final long byteSize;
    private final MemorySegment memory;
    private final AtomicBoolean closed = new AtomicBoolean();

    HostBuffer(HostBackend backend, long byteSize, long alignment) {
        this.backend = backend;
        this.byteSize = byteSize;
        this.memory = arena.allocate(Math.max(1, byteSize), alignment).asSlice(0, byteSize);
    }

    /// The memory behind a buffer, also where it does not show it.
    static MemorySegment memory(DeviceBuffer buffer) {
        if (buffer instanceof HostBuffer host) {
            host.requireOpen();
            return host.memory;
        }
        return memory(((BufferWrapper) buffer).inner());
    }

    private void requireOpen() {
        if (closed.get()) {
            throw new IllegalStateException("the buffer is closed");
        }
    }

    @Override
    public long byteSize() {
        requireOpen();
        return byteSize;
    }

    @Override
    public DeviceHandle handle() {
        requireOpen();
        return backend.has(Capability.POINTERS) ? DeviceHandle.pointer(memory.address())
                : new DeviceHandle(DeviceHandle.Kind.CL_MEM, memory.address(), 0);
    }

    @Override
    public Optional<MemorySegment> segment() {
        requireOpen();
        return backend.has(Capability.HOST_ADDRESSABLE) ? Optional.of(memory) : Optional.empty();
    }

    @Override
    public void close() {
        if (closed.compareAndSet(false, true)) {
            arena.close();
            backend.release(byteSize);
            backend.forget(this);
        }
    }
}
