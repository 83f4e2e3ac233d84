package io.fastsafetensors.backend.cpu;

import io.fastsafetensors.spi.StagingBuffer;
import java.lang.foreign.MemorySegment;

/// A staging slot: plain host memory, since no device reads it by DMA.
final class CpuStaging implements StagingBuffer {
    private final OwnedMemory memory;

    CpuStaging(OwnedMemory memory) {
        this.memory = memory;
    }

    @Override
    public MemorySegment segment() {
        return memory.segment();
    }

    @Override
    public boolean isPageLocked() {
        return false;
    }

    @Override
    public void close() {
        memory.close();
    }
}
