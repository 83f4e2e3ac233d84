package io.fastsafetensors.spi.base;

import io.fastsafetensors.spi.StagingBuffer;
import java.lang.foreign.MemorySegment;

/// Forwards everything to other staging memory; a subclass overrides what it changes.
public class ForwardingStaging implements StagingBuffer {
    private final StagingBuffer delegate;

    /// @param delegate the memory itself
    public ForwardingStaging(StagingBuffer delegate) {
        this.delegate = delegate;
    }

    /// The memory itself.
    protected final StagingBuffer delegate() {
        return delegate;
    }

    @Override
    public MemorySegment segment() {
        return delegate.segment();
    }

    @Override
    public boolean isPageLocked() {
        return delegate.isPageLocked();
    }

    @Override
    public void close() {
        delegate.close();
    }
}
