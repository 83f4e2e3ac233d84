package io.fastsafetensors.testkit.host;

import io.fastsafetensors.spi.StagingBuffer;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicBoolean;

/// Pageable memory; nothing here copies from it asynchronously.
final class HostStaging implements StagingBuffer {
    private final HostBackend backend;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment memory;
    private final AtomicBoolean closed = new AtomicBoolean();

    HostStaging(HostBackend backend, long bytes) {
        this.backend = backend;
        this.memory = arena.allocate(Math.max(1, bytes), 4096).asSlice(0, bytes);
    }

    @Override
    public MemorySegment segment() {
        return memory;
    }

    @Override
    public boolean isPageLocked() {
        return false;
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
            backend.forget(this);
        }
    }
}
