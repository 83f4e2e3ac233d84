package io.fastsafetensors.spi.base;

import io.fastsafetensors.spi.Fence;

/// Forwards everything to another fence; a subclass overrides what it changes.
public class ForwardingFence implements Fence {
    private final ForwardingBackend owner;
    private final Fence delegate;

    /// @param owner the backend that hands this out
    /// @param delegate the fence itself
    public ForwardingFence(ForwardingBackend owner, Fence delegate) {
        this.owner = owner;
        this.delegate = delegate;
    }

    /// The fence itself.
    protected final Fence delegate() {
        return delegate;
    }

    boolean isOf(ForwardingBackend backend) {
        return owner.equals(backend);
    }

    @Override
    public boolean isPassed() {
        return delegate.isPassed();
    }

    @Override
    public void await() {
        delegate.await();
    }

    @Override
    public void close() {
        delegate.close();
    }
}
