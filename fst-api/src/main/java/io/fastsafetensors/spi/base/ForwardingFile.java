package io.fastsafetensors.spi.base;

import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.DirectFile;

/// Forwards everything to another direct file, with the buffers that the other backend made; a subclass overrides what it
/// changes.
public class ForwardingFile implements DirectFile {
    private final ForwardingBackend owner;
    private final DirectFile delegate;

    /// @param owner the backend that hands this out
    /// @param delegate the file itself
    public ForwardingFile(ForwardingBackend owner, DirectFile delegate) {
        this.owner = owner;
        this.delegate = delegate;
    }

    /// The file itself.
    protected final DirectFile delegate() {
        return delegate;
    }

    @Override
    public long alignment() {
        return delegate.alignment();
    }

    @Override
    public long read(long fileOffset, DeviceBuffer target, long targetOffset, long bytes) {
        return delegate.read(fileOffset, owner.unwrap(target), targetOffset, bytes);
    }

    @Override
    public void close() {
        delegate.close();
    }
}
