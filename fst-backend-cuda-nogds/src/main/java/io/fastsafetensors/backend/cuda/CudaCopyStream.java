package io.fastsafetensors.backend.cuda;

import io.fastsafetensors.backend.cuda.driver.CudaDriver;
import io.fastsafetensors.backend.cuda.driver.CudaDriver.Event;
import io.fastsafetensors.backend.cuda.driver.CudaDriver.Stream;
import io.fastsafetensors.gpu.EventPool;
import io.fastsafetensors.gpu.HostBytes;
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
    private final EventPool<Event> events;
    private final Stream stream;
    private final Lifetime lifetime;

    CudaCopyStream(CudaContext context, EventPool<Event> events, Lifetime backend) {
        this.context = context;
        this.driver = context.driver();
        this.events = events;
        this.stream = created(context);
        this.lifetime = backend.work("the copy stream", new End());
    }

    private static Stream created(CudaContext context) {
        Stream[] created = new Stream[1];
        context.enter();
        try {
            context.status().check("cuStreamCreate",
                    context.driver().cuStreamCreate(created, CudaDriver.CU_STREAM_NON_BLOCKING));
        } finally {
            context.leave();
        }
        return created[0];
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
        if (source.isNative()) {
            try {
                submit(to, source.address(), bytes);
            } finally {
                Reference.reachabilityFence(source);
            }
        } else {
            HostBytes.toDevice(source, (piece, offset) -> submit(to + offset, piece.address(), piece.byteSize()),
                    this::finish);
        }
    }

    private void submit(long to, long from, long bytes) {
        if (bytes == 0) {
            return;
        }
        context.enter();
        try {
            context.status().check("cuMemcpyHtoDAsync", driver.cuMemcpyHtoDAsync(to, from, bytes, stream));
        } finally {
            context.leave();
        }
    }

    @Override
    public void copyToHost(DeviceBuffer source, long sourceOffset, MemorySegment target) {
        lifetime.requireOpen();
        long bytes = target.byteSize();
        long from = address(source, sourceOffset, bytes);
        HostBytes.requireWritable(target);
        HostBytes.toHost(target, (piece, offset) -> context.run("cuMemcpyDtoHAsync",
                () -> driver.cuMemcpyDtoHAsync(piece.address(), from + offset, piece.byteSize(), stream)),
                this::finish);
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
        return CudaFence.recorded(context, events, stream);
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
        try (CudaFence end = CudaFence.recorded(context, events, stream)) {
            end.await();
        }
    }

    @Override
    public void close() {
        lifetime.close();
    }

    /// Waits for what was submitted, and destroys the stream.
    private final class End implements Runnable {
        @Override
        public void run() {
            Releases releases = new Releases();
            releases.run(CudaCopyStream.this::finish);
            releases.run(() -> context.run("cuStreamDestroy", () -> driver.cuStreamDestroy(stream)));
            releases.finish();
        }
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
