package io.fastsafetensors.testkit.host;

import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Fence;
import java.lang.foreign.MemorySegment;

/// Everything is done when the call returns.
final class HostStream implements CopyStream {
    private final HostBackend backend;
    private volatile boolean closed;

    HostStream(HostBackend backend) {
        this.backend = backend;
    }

    @Override
    public void copyToDevice(MemorySegment source, DeviceBuffer target, long targetOffset) {
        requireOpen();
        slice(target, targetOffset, source.byteSize()).copyFrom(source);
    }

    @Override
    public void copyToHost(DeviceBuffer source, long sourceOffset, MemorySegment target) {
        requireOpen();
        target.copyFrom(slice(source, sourceOffset, target.byteSize()));
    }

    @Override
    public void copy(DeviceBuffer source, long sourceOffset, DeviceBuffer target, long targetOffset, long bytes) {
        requireOpen();
        MemorySegment from = slice(source, sourceOffset, bytes);
        slice(target, targetOffset, bytes).copyFrom(from);
    }

    @Override
    public Fence fence() {
        requireOpen();
        return new Fence() {
            @Override
            public boolean isPassed() {
                return true;
            }

            @Override
            public void await() {
                // Everything was done when it was submitted.
            }

            @Override
            public void close() {
                // Holds nothing.
            }
        };
    }

    @Override
    public void waitFor(Fence fence) {
        requireOpen();
        fence.await();
    }

    @Override
    public void synchronize() {
        requireOpen();
    }

    @Override
    public void close() {
        closed = true;
        backend.forget(this);
    }

    void requireOpen() {
        if (closed) {
            throw new IllegalStateException("the stream is closed");
        }
    }

    private static MemorySegment slice(DeviceBuffer buffer, long offset, long bytes) {
        return HostBuffer.memory(buffer).asSlice(offset, bytes);
    }
}
