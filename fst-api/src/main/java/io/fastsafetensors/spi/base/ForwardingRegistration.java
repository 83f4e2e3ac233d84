package io.fastsafetensors.spi.base;

import io.fastsafetensors.spi.HostRegistration;

/// Forwards everything to another registration; a subclass overrides what it changes.
public class ForwardingRegistration implements HostRegistration {
    private final HostRegistration delegate;

    /// @param delegate the registration itself
    public ForwardingRegistration(HostRegistration delegate) {
        this.delegate = delegate;
    }

    /// The registration itself.
    protected final HostRegistration delegate() {
        return delegate;
    }

    @Override
    public long byteSize() {
        return delegate.byteSize();
    }

    @Override
    public void close() {
        delegate.close();
    }
}
