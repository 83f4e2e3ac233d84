package io.fastsafetensors.spi.base;

import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Fence;
import java.lang.foreign.MemorySegment;

/// Forwards everything to another stream, with the buffers and fences that the other backend made; a subclass overrides what
/// it changes.
public class ForwardingStream implements CopyStream {
    private final ForwardingBackend owner;
    private final CopyStream delegate;

    /// @param owner the backend that hands this out
    /// @param delegate the stream itself
    public ForwardingStream(ForwardingBackend owner, CopyStream delegate) {
        this.owner = owner;
        this.delegate = delegate;
    }

    /// The stream itself.
    protected final CopyStream delegate() {
        return delegate;
    }

    boolean isOf(ForwardingBackend backend) {
        return owner.equals(backend);
    }

    @Override
    public void copyToDevice(MemorySegment source, DeviceBuffer target, long targetOffset) {
        delegate.copyToDevice(source, owner.unwrap(target), targetOffset);
    }

    @Override
    public void copyToHost(DeviceBuffer source, long sourceOffset, MemorySegment target) {
        delegate.copyToHost(owner.unwrap(source), sourceOffset, target);
    }

    @Override
    public void copy(DeviceBuffer source, long sourceOffset, DeviceBuffer target, long targetOffset, long bytes) {
        delegate.copy(owner.unwrap(source), sourceOffset, owner.unwrap(target), targetOffset, bytes);
    }

    @Override
    public Fence fence() {
        return delegate.fence();
    }

    @Override
    public void waitFor(Fence fence) {
        delegate.waitFor(owner.unwrap(fence));
    }

    @Override
    public void synchronize() {
        delegate.synchronize();
    }

    @Override
    public void close() {
        delegate.close();
    }
}
