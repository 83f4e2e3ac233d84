package io.fastsafetensors.testkit.host;

import io.fastsafetensors.spi.Capability;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.ffm.RawMemory;
import io.fastsafetensors.types.DeviceHandle;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;

/// One arena.
final class HostBuffer implements DeviceBuffer {
    private static final long LARGE = 64 << 20;

    private final HostBackend backend;
    private final Arena arena = Arena.ofShared();
    private final long byteSize;
    private final MemorySegment memory;
    private final AtomicBoolean closed = new AtomicBoolean();

    HostBuffer(HostBackend backend, long byteSize, long alignment) {
        this.backend = backend;
        this.byteSize = byteSize;
        this.memory = byteSize < LARGE ? arena.allocate(Math.max(1, byteSize), alignment).asSlice(0, byteSize)
                : sparse(byteSize, alignment, arena);
    }

    /// Memory of which only what is written takes room.
    private static MemorySegment sparse(long bytes, long alignment, Arena arena) {
        try {
            Path file = Files.createTempFile("fst-host", ".bin");
            try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE,
                    StandardOpenOption.DELETE_ON_CLOSE)) {
                MemorySegment mapping = channel.map(FileChannel.MapMode.READ_WRITE, 0, bytes + alignment, arena);
                return mapping.asSlice(-mapping.address() & (alignment - 1), bytes);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// The memory behind a buffer, also where it does not show it.
    static MemorySegment memory(DeviceBuffer buffer) {
        if (buffer instanceof HostBuffer host) {
            host.requireOpen();
            return host.memory;
        }
        if (buffer instanceof BufferWrapper wrapper) {
            return memory(wrapper.inner());
        }
        // Made by somebody else around memory of the host.
        return buffer.segment()
                .orElseGet(() -> RawMemory.view(buffer.handle().value(), buffer.byteSize(), Arena.global()));
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
            try {
                arena.close();
            } catch (IllegalStateException e) {
                // A native call uses the memory: a later close frees it.
                closed.set(false);
                throw e;
            }
            backend.release(byteSize);
            backend.forget(this);
        }
    }
}
