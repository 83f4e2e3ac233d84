package io.fastsafetensors.backend.rocm.hip;

import io.fastsafetensors.backend.rocm.hip.ffm.Hip;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.spi.base.Lifetime;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.util.Objects;

/// A stream of HIP that keeps step with no other.
final class HipStream implements CopyStream {
    private final HipDevice device;
    private final EventPool events;
    private final long stream;
    private final Lifetime lifetime;

    private HipStream(HipDevice device, EventPool events, long stream, Lifetime lifetime) {
        this.device = device;
        this.events = events;
        this.stream = stream;
        this.lifetime = lifetime;
    }

    /// @param backend what the stream is opened in
    static HipStream open(HipDevice device, EventPool events, Lifetime backend) {
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
        requireAccess(source);
        if (source.isNative()) {
            try {
                submit(to, source.address(), bytes, Hip.HOST_TO_DEVICE);
            } finally {
                Reference.reachabilityFence(source);
            }
            return;
        }
        try (Arena arena = Arena.ofConfined()) {
            submit(to, arena.allocate(bytes, 1).copyFrom(source).address(), bytes, Hip.HOST_TO_DEVICE);
            synchronize();
        }
    }

    @Override
    public void copyToHost(DeviceBuffer source, long sourceOffset, MemorySegment target) {
        requireOpen();
        long bytes = target.byteSize();
        long from = address(source, sourceOffset, bytes);
        requireAccess(target);
        if (target.isReadOnly()) {
            throw new IllegalArgumentException("the target of a copy is read-only: " + target);
        }
        if (target.isNative()) {
            try {
                submit(target.address(), from, bytes, Hip.DEVICE_TO_HOST);
            } finally {
                Reference.reachabilityFence(target);
            }
            return;
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment landing = arena.allocate(bytes, 1);
            submit(landing.address(), from, bytes, Hip.DEVICE_TO_HOST);
            synchronize();
            target.copyFrom(landing);
        }
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
    boolean isOf(EventPool pool) {
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

    private static void requireAccess(MemorySegment memory) {
        if (!memory.scope().isAlive()) {
            throw new IllegalStateException("the host memory of a copy is closed: " + memory);
        }
        if (!memory.isAccessibleBy(Thread.currentThread())) {
            throw new WrongThreadException("the host memory of a copy belongs to another thread: " + memory);
        }
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
