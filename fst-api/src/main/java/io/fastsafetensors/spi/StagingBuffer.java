package io.fastsafetensors.spi;

import java.lang.foreign.MemorySegment;

/// Host memory for data on its way to or from a device; a slot of the staging pool. Freed by [#close()], which is
/// idempotent and waits for nobody: the caller has seen the fences of its copies.
public interface StagingBuffer extends AutoCloseable {
    /// The memory, 4096-aligned, accessible from every thread until closed.
    MemorySegment segment();

    /// Whether the driver page-locked it.
    boolean isPageLocked();

    @Override
    void close();
}
