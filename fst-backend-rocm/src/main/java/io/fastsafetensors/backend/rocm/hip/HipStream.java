package io.fastsafetensors.backend.rocm.hip;

import io.fastsafetensors.backend.rocm.hip.ffm.Hip;
import io.fastsafetensors.gpu.EventPool;
import io.fastsafetensors.gpu.HostBytes;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.spi.base.Lifetime;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/// A stream of HIP that keeps step with no other.
final class HipStream implements CopyStream {
    private final HipDevice device;
    private final EventPool<Long> events;
    private final long stream;
    private final Lifetime lifetime;

    private HipStream(HipDevice device, EventPool<Long> events, long stream, Lifetime lifetime) {
        this.device = device;
        this.events = events;
        this.stream = stream;
        this.lifetime = lifetime;
    }

    /// @param backend the backend's lifetime
    static HipStream open(HipDevice device, EventPool<Long> events, Lifetime backend) {
        long stream = device.make("hipStreamCreateWithFlags",
                made -> device.hip().hipStreamCreateWithFlags(made, Hip.STREAM_NON_BLOCKING),
                made -> destroy(device, made));
        return new HipStream(device, events, stream,
                backend.work("the copy stream", () -> new Releases().run(() -> synchronize(device, stream))
                        .run(() -> destroy(device, stream)).finish()));
    }

    @Override
    public void copyToDevice(MemorySegment source, DeviceBuffer target, long targetOffset) {
        requireOpen();
        long bytes = source.byteSize();
        long to = address(target, targetOffset, bytes);
        HostBytes.requireReadable(source);
        HostBytes.toDevice(source, (piece, offset) -> submit(to + offset, piece.address(), piece.byteSize(),
                Hip.HOST_TO_DEVICE), () -> synchronize(device, stream));
    }

    @Override
    public void copyToHost(DeviceBuffer source, long sourceOffset, MemorySegment target) {
        requireOpen();
        long bytes = target.byteSize();
        long from = address(source, sourceOffset, bytes);
        HostBytes.requireWritable(target);
        HostBytes.toHost(target, (piece, offset) -> submit(piece.address(), from + offset, piece.byteSize(),
                Hip.DEVICE_TO_HOST), () -> synchronize(device, stream));
    }

    @Override
    public void copy(DeviceBuffer source, long sourceOffset, DeviceBuffer target, long targetOffset, long bytes) {
        requireOpen();
        submit(address(target, targetOffset, bytes), address(source, sourceOffset, bytes), bytes,
                Hip.DEVICE_TO_DEVICE);
    }

    @Override
    public Fence fence() {
        requireOpen();
        return HipFence.behind(device, events, stream);
    }

    @Override
    public void waitFor(Fence fence) {
        requireOpen();
        if (!(fence instanceof HipFence other && other.isOf(events))) {
            fence.await();
            return;
        }
        try (HipDevice.Current _ = device.makeCurrent()) {
            device.runtime().check("hipStreamWaitEvent",
                    other.use(event -> device.hip().hipStreamWaitEvent(stream, event)));
        }
    }

    @Override
    public void synchronize() {
        requireOpen();
        synchronize(device, stream);
    }

    @Override
    public void close() {
        lifetime.close();
    }

    /// Whether it is a stream of the backend with this pool.
    boolean isOf(EventPool<Long> pool) {
        return events == pool;
    }

    /// HIP's stream, for a launch.
    ///
    /// @throws IllegalStateException if the stream is closed
    long stream() {
        requireOpen();
        return stream;
    }

    private void requireOpen() {
        lifetime.requireOpen();
    }

    private static long address(DeviceBuffer buffer, long offset, long bytes) {
        Objects.checkFromIndexSize(offset, bytes, buffer.byteSize());
        return buffer.handle().value() + offset;
    }

    private void submit(long target, long source, long bytes, int kind) {
        if (bytes == 0) {
            return;
        }
        try (HipDevice.Current _ = device.makeCurrent()) {
            device.runtime().check("hipMemcpyAsync",
                    device.hip().hipMemcpyAsync(target, source, bytes, kind, stream));
        }
    }

    private static void synchronize(HipDevice device, long stream) {
        try (HipDevice.Current _ = device.makeCurrent()) {
            device.runtime().check("hipStreamSynchronize", device.hip().hipStreamSynchronize(stream));
        }
    }

    private static void destroy(HipDevice device, long stream) {
        device.runtime().check("hipStreamDestroy", device.hip().hipStreamDestroy(stream));
    }
}
