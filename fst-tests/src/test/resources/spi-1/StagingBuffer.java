package io.fastsafetensors.spi;

import java.lang.foreign.MemorySegment;

public interface StagingBuffer extends AutoCloseable {
    MemorySegment segment();

    boolean isPageLocked();

    @Override
    void close();
}
