package io.fastsafetensors.spi.base;

import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.types.DeviceHandle;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/// Forwards everything to another buffer; a subclass overrides what it changes. What the backend that hands it out forwards
/// gets the other buffer to see.
public class ForwardingBuffer implements DeviceBuffer {
    private final ForwardingBackend owner;
    private final DeviceBuffer delegate;

    /// @param owner the backend that hands this out
    /// @param delegate the buffer itself
    public ForwardingBuffer(ForwardingBackend owner, DeviceBuffer delegate) {
        this.owner = owner;
        this.delegate = delegate;
    }

    /// The buffer itself.
    protected final DeviceBuffer delegate() {
        return delegate;
    }

    boolean isOf(ForwardingBackend backend) {
        return owner.equals(backend);
    }

    @Override
    public long byteSize() {
        return delegate.byteSize();
    }

    @Override
    public DeviceHandle handle() {
        return delegate.handle();
    }

    @Override
    public Optional<MemorySegment> segment() {
        return delegate.segment();
    }

    @Override
    public void close() {
        delegate.close();
    }
}
