package io.fastsafetensors.backend.cuda.gds;

import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Fence;
import java.lang.foreign.MemorySegment;

/// A stream of the decorated backend, which gets its own buffers to see.
///
/// @param delegate the decorated backend's stream
record GdsStream(CopyStream delegate) implements CopyStream {
    /// The decorated backend's own stream.
    static CopyStream real(CopyStream stream) {
        return stream instanceof GdsStream decorated ? decorated.delegate : stream;
    }

    @Override
    public void copyToDevice(MemorySegment source, DeviceBuffer target, long targetOffset) {
        delegate.copyToDevice(source, GdsBuffer.real(target), targetOffset);
    }

    @Override
    public void copyToHost(DeviceBuffer source, long sourceOffset, MemorySegment target) {
        delegate.copyToHost(GdsBuffer.real(source), sourceOffset, target);
    }

    @Override
    public void copy(DeviceBuffer source, long sourceOffset, DeviceBuffer target, long targetOffset, long bytes) {
        delegate.copy(GdsBuffer.real(source), sourceOffset, GdsBuffer.real(target), targetOffset, bytes);
    }

    @Override
    public Fence fence() {
        return delegate.fence();
    }

    @Override
    public void waitFor(Fence fence) {
        delegate.waitFor(fence);
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
