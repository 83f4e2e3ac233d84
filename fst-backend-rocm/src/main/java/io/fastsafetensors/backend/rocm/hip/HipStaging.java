package io.fastsafetensors.backend.rocm.hip;

import io.fastsafetensors.spi.StagingBuffer;
import java.lang.foreign.MemorySegment;

/// Page-locked host memory.
final class HipStaging implements StagingBuffer {
    private final MemorySegment segment;
    private final Handle handle;

    HipStaging(MemorySegment segment, Handle handle) {
        this.segment = segment;
        this.handle = handle;
    }

    @Override
    public MemorySegment segment() {
        handle.requireOpen();
        return segment;
    }

    @Override
    public boolean isPageLocked() {
        return true;
    }

    @Override
    public void close() {
        handle.close();
    }
}
