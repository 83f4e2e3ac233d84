package io.fastsafetensors.spi;

import java.lang.foreign.MemorySegment;

/// Host memory for data on its way to or from a device; a slot of the staging pool. Freed by [#close()], which is
/// idempotent and waits for nobody: the caller has seen the fences of its copies. While a native call in flight uses the
/// segment, closing is an [IllegalStateException] and changes nothing; a later close frees it.
public interface StagingBuffer extends AutoCloseable {
    /// The memory, 4096-aligned, accessible from every thread until closed.
    MemorySegment segment();

    /// Whether the driver page-locked it.
    default boolean isPageLocked() {
        return false;
    }

    @Override
    void close();
}
