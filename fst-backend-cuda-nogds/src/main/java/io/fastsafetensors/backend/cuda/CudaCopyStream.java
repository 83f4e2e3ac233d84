package io.fastsafetensors.backend.cuda;

import io.fastsafetensors.backend.cuda.driver.CudaDriver;
import io.fastsafetensors.backend.cuda.driver.CudaDriver.Event;
import io.fastsafetensors.backend.cuda.driver.CudaDriver.Stream;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.spi.base.Lifetime;
import io.fastsafetensors.types.DeviceHandle;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.util.Objects;

/// A CUDA stream that has no order with the default one.
///
/// Copies from and to page-locked memory are asynchronous. With other native memory the driver copies through memory
/// of its own and returns when it no longer needs the caller's, or at the latest at the next fence; with Java arrays
/// the call returns when the copy is done.
final class CudaCopyStream implements CopyStream {
    private final CudaContext context;
    private final CudaDriver driver;
    private final EventPool events;
    private final Stream stream;
    private final Lifetime lifetime;

    CudaCopyStream(CudaContext context, EventPool events, Lifetime backend) {
        this.context = context;
        this.driver = context.driver();
        this.events = events;
        Stream[] created = new Stream[1];
        context.run("cuStreamCreate", () -> driver.cuStreamCreate(created, CudaDriver.CU_STREAM_NON_BLOCKING));
        this.stream = created[0];
        this.lifetime = backend.work("the copy stream", this::release);
    }

    /// Whether it is a stream of the backend with this context.
    boolean isOf(CudaContext other) {
        return context.equals(other);
    }

    /// The driver's stream, for kernels.
    ///
    /// @throws IllegalStateException once closed
    Stream stream() {
        lifetime.requireOpen();
        return stream;
    }

    @Override
    public void copyToDevice(MemorySegment source, DeviceBuffer target, long targetOffset) {
        lifetime.requireOpen();
        long bytes = source.byteSize();
        long to = address(target, targetOffset, bytes);
        HostBytes.requireReadable(source);
        if (bytes == 0) {
            return;
        }
        if (source.isNative()) {
            toDevice(to, source);
        } else {
            HostBytes.inPieces(bytes, (offset, piece) -> {
                piece.copyFrom(source.asSlice(offset, piece.byteSize()));
                toDevice(to + offset, piece);
                synchronize();
            });
        }
    }

    private void toDevice(long to, MemorySegment source) {
        try {
            context.run("cuMemcpyHtoDAsync",
                    () -> driver.cuMemcpyHtoDAsync(to, source.address(), source.byteSize(), stream));
        } finally {
            Reference.reachabilityFence(source);
        }
    }

    @Override
    public void copyToHost(DeviceBuffer source, long sourceOffset, MemorySegment target) {
        lifetime.requireOpen();
        long bytes = target.byteSize();
        long from = address(source, sourceOffset, bytes);
        HostBytes.requireWritable(target);
        if (bytes == 0) {
            return;
        }
        if (target.isNative()) {
            toHost(from, target);
        } else {
            HostBytes.inPieces(bytes, (offset, piece) -> {
                toHost(from + offset, piece);
                synchronize();
                target.asSlice(offset, piece.byteSize()).copyFrom(piece);
            });
        }
    }

    private void toHost(long from, MemorySegment target) {
        try {
            context.run("cuMemcpyDtoHAsync",
                    () -> driver.cuMemcpyDtoHAsync(target.address(), from, target.byteSize(), stream));
        } finally {
            Reference.reachabilityFence(target);
        }
    }

    @Override
    public void copy(DeviceBuffer source, long sourceOffset, DeviceBuffer target, long targetOffset, long bytes) {
        lifetime.requireOpen();
        long from = address(source, sourceOffset, bytes);
        long to = address(target, targetOffset, bytes);
        if (bytes != 0) {
            context.run("cuMemcpyDtoDAsync", () -> driver.cuMemcpyDtoDAsync(to, from, bytes, stream));
        }
    }

    @Override
    public Fence fence() {
        lifetime.requireOpen();
        return record();
    }

    private CudaFence record() {
        Event event = events.take();
        try {
            context.run("cuEventRecord", () -> driver.cuEventRecord(event, stream));
        } catch (RuntimeException e) {
            events.giveBack(event);
            throw e;
        }
        return new CudaFence(context, events, event);
    }

    @Override
    public void waitFor(Fence fence) {
        lifetime.requireOpen();
        if (fence instanceof CudaFence other) {
            other.holdBack(stream);
        } else {
            fence.await();
        }
    }

    /// Sleeps where the driver's own `cuStreamSynchronize` would, by default, keep a core busy.
    @Override
    public void synchronize() {
        lifetime.requireOpen();
        finish();
    }

    private void finish() {
        try (CudaFence end = record()) {
            end.await();
        }
    }

    @Override
    public void close() {
        lifetime.close();
    }

    private void release() {
        Releases releases = new Releases();
        releases.run(this::finish);
        releases.run(() -> context.run("cuStreamDestroy", () -> driver.cuStreamDestroy(stream)));
        releases.finish();
    }

    /// The address of a range that is inside an open buffer.
    private static long address(DeviceBuffer buffer, long offset, long bytes) {
        Objects.checkFromIndexSize(offset, bytes, buffer.byteSize());
        DeviceHandle handle = buffer.handle();
        if (!handle.isPointer()) {
            throw new IllegalArgumentException("not CUDA memory: " + handle);
        }
        return handle.value() + offset;
    }
}
