package io.fastsafetensors.spi.base;

import io.fastsafetensors.spi.DirectFile;
import io.fastsafetensors.spi.DirectStorage;
import io.fastsafetensors.spi.storage.StorageFile;

/// Forwards everything to the direct storage of another backend; a subclass overrides what it changes.
public class ForwardingStorage implements DirectStorage {
    private final ForwardingBackend owner;
    private final DirectStorage delegate;

    /// @param owner the backend that hands this out
    /// @param delegate the storage itself
    public ForwardingStorage(ForwardingBackend owner, DirectStorage delegate) {
        this.owner = owner;
        this.delegate = delegate;
    }

    /// The storage itself.
    protected final DirectStorage delegate() {
        return delegate;
    }

    @Override
    public Support support(StorageFile file) {
        return delegate.support(file);
    }

    @Override
    public DirectFile open(StorageFile file) {
        return new ForwardingFile(owner, delegate.open(file));
    }
}
