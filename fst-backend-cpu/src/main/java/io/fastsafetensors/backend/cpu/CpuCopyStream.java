package io.fastsafetensors.backend.cpu;

import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.spi.base.Lifetime;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/// Copies on the calling thread; everything is done when a call returns.
final class CpuCopyStream implements CopyStream {
    private final Lifetime lifetime;

    /// @param backend closing it closes this too
    CpuCopyStream(Lifetime backend) {
        this.lifetime = backend.work("the copy stream", () -> {
            // Nothing is pending, and nothing was taken.
        });
    }

    @Override
    public void copyToDevice(MemorySegment source, DeviceBuffer target, long targetOffset) {
        requireOpen();
        MemorySegment to = memory(target);
        Objects.checkFromIndexSize(targetOffset, source.byteSize(), to.byteSize());
        MemorySegment.copy(source, 0, to, targetOffset, source.byteSize());
    }

    @Override
    public void copyToHost(DeviceBuffer source, long sourceOffset, MemorySegment target) {
        requireOpen();
        MemorySegment from = memory(source);
        Objects.checkFromIndexSize(sourceOffset, target.byteSize(), from.byteSize());
        MemorySegment.copy(from, sourceOffset, target, 0, target.byteSize());
    }

    @Override
    public void copy(DeviceBuffer source, long sourceOffset, DeviceBuffer target, long targetOffset, long bytes) {
        requireOpen();
        MemorySegment from = memory(source);
        MemorySegment to = memory(target);
        Objects.checkFromIndexSize(sourceOffset, bytes, from.byteSize());
        Objects.checkFromIndexSize(targetOffset, bytes, to.byteSize());
        MemorySegment.copy(from, sourceOffset, to, targetOffset, bytes);
    }

    @Override
    public Fence fence() {
        requireOpen();
        return Fence.passed();
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
        lifetime.close();
    }

    private void requireOpen() {
        lifetime.requireOpen();
    }

    private static MemorySegment memory(DeviceBuffer buffer) {
        return buffer.segment()
                .orElseThrow(() -> new IllegalArgumentException("the buffer is not in host memory: " + buffer));
    }
}
