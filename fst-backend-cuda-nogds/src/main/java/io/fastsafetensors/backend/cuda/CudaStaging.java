package io.fastsafetensors.backend.cuda;

import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.spi.ffm.RawMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Set;

/// Page-locked host memory.
final class CudaStaging implements StagingBuffer {
    private final PinnedMemory memory;
    private final PinnedMemory.Block block;
    private final String what;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment segment;
    private final Lifetime lifetime;

    /// @param block at least `bytes`
    CudaStaging(PinnedMemory memory, long bytes, PinnedMemory.Block block, Set<Lifetime> open) {
        this.memory = memory;
        this.block = block;
        this.what = "the staging buffer of " + bytes + " bytes";
        this.segment = RawMemory.view(block.aligned(), bytes, arena);
        this.lifetime = new Lifetime(what, open, this::release);
    }

    @Override
    public MemorySegment segment() {
        lifetime.requireOpen();
        return segment;
    }

    @Override
    public boolean isPageLocked() {
        lifetime.requireOpen();
        return true;
    }

    /// @throws IllegalStateException if a native call in flight uses the segment; it stays open then
    @Override
    public void close() {
        lifetime.close();
    }

    private void release() {
        try {
            arena.close();
        } catch (IllegalStateException e) {
            throw new StillInUseException(what, e);
        }
        memory.free(block);
    }
}
