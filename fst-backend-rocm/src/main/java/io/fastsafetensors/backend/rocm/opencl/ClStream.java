package io.fastsafetensors.backend.rocm.opencl;

import io.fastsafetensors.backend.rocm.opencl.binding.ClStatus;
import io.fastsafetensors.backend.rocm.opencl.binding.OpenCl;
import io.fastsafetensors.gpu.HostBytes;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.gpu.kernel.KernelCall;
import io.fastsafetensors.types.DeviceHandle;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// A queue. Each command waits for the one before it, though the queue keeps their order by itself: a command that
/// waits for one that failed fails too, and so a fence, the last command's event, knows of every failure before it.
///
/// Copies from and to staging memory are queued; those of other host memory are done when the call returns, since
/// nothing else would keep that memory as it is. Locked, since a backend may close it while another thread uses it.
final class ClStream implements CopyStream, ClosedWithBackend {
    private static final long[] NONE = {};

    private final OpenClBackend backend;
    private final OpenCl cl;
    private final long queue;
    private final StreamKernels kernels;
    private @Nullable ClEvent last;
    private boolean closed;

    /// A command: gets the events to wait for and stores its own in `event[0]`; returns the status.
    interface Command {
        int enqueue(long[] waits, long[] event);
    }

    /// @param queue for this stream alone, released with it
    ClStream(OpenClBackend backend, long queue) {
        this.backend = backend;
        this.cl = backend.cl();
        this.queue = queue;
        this.kernels = new StreamKernels(backend);
    }

    @Override
    public synchronized void copyToDevice(MemorySegment source, DeviceBuffer target, long targetOffset) {
        requireOpen();
        long bytes = source.byteSize();
        Objects.checkFromIndexSize(targetOffset, bytes, target.byteSize());
        long memory = memory(target);
        if (bytes == 0) {
            return;
        }
        if (source.isNative() && backend.isStaging(source)) {
            submit("clEnqueueWriteBuffer", (waits, event) -> cl.clEnqueueWriteBuffer(queue, memory, false,
                    targetOffset, source, waits, event));
        } else {
            HostBytes.requireReadable(source);
            HostBytes.toDevice(source, (piece, from) -> complete("clEnqueueWriteBuffer",
                    cl.clEnqueueWriteBuffer(queue, memory, true, targetOffset + from, piece, waits(), null)),
                    ClStream::haveEnded);
        }
    }

    @Override
    public synchronized void copyToHost(DeviceBuffer source, long sourceOffset, MemorySegment target) {
        requireOpen();
        long bytes = target.byteSize();
        Objects.checkFromIndexSize(sourceOffset, bytes, source.byteSize());
        long memory = memory(source);
        if (target.isReadOnly()) {
            throw new IllegalArgumentException("cannot copy to read-only memory");
        }
        if (bytes == 0) {
            return;
        }
        if (target.isNative() && backend.isStaging(target)) {
            submit("clEnqueueReadBuffer", (waits, event) -> cl.clEnqueueReadBuffer(queue, memory, false, sourceOffset,
                    target, waits, event));
        } else {
            HostBytes.requireWritable(target);
            HostBytes.toHost(target, (piece, from) -> complete("clEnqueueReadBuffer",
                    cl.clEnqueueReadBuffer(queue, memory, true, sourceOffset + from, piece, waits(), null)),
                    ClStream::haveEnded);
        }
    }

    /// Blocking copies have ended when their calls return.
    private static void haveEnded() {
        // Nothing to wait for.
    }

    @Override
    public synchronized void copy(DeviceBuffer source, long sourceOffset, DeviceBuffer target, long targetOffset,
            long bytes) {
        requireOpen();
        Objects.checkFromIndexSize(sourceOffset, bytes, source.byteSize());
        Objects.checkFromIndexSize(targetOffset, bytes, target.byteSize());
        long from = memory(source);
        long to = memory(target);
        if (bytes > 0) {
            submit("clEnqueueCopyBuffer", (waits, event) -> cl.clEnqueueCopyBuffer(queue, from, to, sourceOffset,
                    targetOffset, bytes, waits, event));
        }
    }

    @Override
    public synchronized Fence fence() {
        requireOpen();
        if (last != null) {
            last.hold();
        }
        return new ClFence(backend, last);
    }

    @Override
    public synchronized void waitFor(Fence fence) {
        requireOpen();
        if (!(fence instanceof ClFence other) || !other.isOf(backend)) {
            // Another device's, which no queue of this context can wait for.
            fence.await();
            return;
        }
        ClEvent event = other.hold();
        if (event == null) {
            return;
        }
        try {
            long[] waits = last == null ? new long[] {event.handle()} : new long[] {event.handle(), last.handle()};
            submit("clEnqueueMarkerWithWaitList", (_, own) -> cl.clEnqueueMarkerWithWaitList(queue, waits, own));
        } finally {
            event.release();
        }
    }

    @Override
    public synchronized void synchronize() {
        requireOpen();
        settle();
    }

    @Override
    public synchronized void close() {
        if (closed) {
            return;
        }
        closed = true;
        backend.forget(this);
        new Releases().run(this::settle).run(kernels::close)
                .run(() -> ClStatus.check("clReleaseCommandQueue", cl.clReleaseCommandQueue(queue))).finish();
    }

    /// Queues the calls of a kernel plan.
    synchronized void launch(Iterable<KernelCall> calls, DeviceBuffer source,
            DeviceBuffer target) {
        requireOpen();
        long from = memory(source);
        long to = memory(target);
        for (KernelCall call : calls) {
            StreamKernels.Kernel kernel = kernels.prepare(call, from, to);
            submit("clEnqueueNDRangeKernel", (waits, event) -> cl.clEnqueueNDRangeKernel(queue, kernel.handle(),
                    kernel.globalSize(call), kernel.localSize(call), waits, event));
        }
    }

    boolean isOf(OpenClBackend other) {
        return backend == other;
    }

    /// Queues a command behind the last one and starts the device on it.
    private void submit(String call, Command command) {
        long[] event = new long[1];
        ClStatus.check(call, command.enqueue(waits(), event));
        ClEvent before = last;
        last = new ClEvent(cl, event[0]);
        new Releases().run(() -> ClStatus.check("clFlush", cl.clFlush(queue))).run(() -> {
            if (before != null) {
                before.release();
            }
        }).finish();
    }

    /// A command that waited for the last one and is done: nothing is pending any more.
    private void complete(String call, int status) {
        ClStatus.check(call, status);
        settled();
    }

    private void settle() {
        if (last != null) {
            int status;
            try {
                status = last.await();
            } finally {
                settled();
            }
            ClEvent.check(status);
        }
    }

    private void settled() {
        ClEvent done = last;
        last = null;
        if (done != null) {
            done.release();
        }
    }

    private long[] waits() {
        return last == null ? NONE : new long[] {last.handle()};
    }

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException("the copy stream is closed");
        }
    }

    private static long memory(DeviceBuffer buffer) {
        DeviceHandle handle = buffer.handle();
        if (!handle.kind().equals(DeviceHandle.Kind.CL_MEM)) {
            throw new IllegalArgumentException("no buffer of an OpenCL device: " + handle);
        }
        return handle.value();
    }
}
