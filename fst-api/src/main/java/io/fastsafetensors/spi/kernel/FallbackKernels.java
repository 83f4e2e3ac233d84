package io.fastsafetensors.spi.kernel;

import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Kernels;
import io.fastsafetensors.spi.ScaleGrid;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.spi.Strided;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.function.LongFunction;
import org.jspecify.annotations.Nullable;

/// Kernels for a backend that has none, or not for every pair: what its own kernels do not support is copied to the host,
/// converted there with the same result bit for bit, and copied back, a few MiB at a time. Where the host can address both
/// buffers, nothing is copied.
///
/// With these a backend may claim [io.fastsafetensors.spi.Capability#KERNELS] whatever it implements itself. A call that
/// falls back waits for the stream and is done when it returns. Thread-safe, as long as each call has a stream of its own.
/// Staging memory is taken at the first need and kept for the next one, 16 MiB at most; the backend frees it when it is
/// closed, as it does with all staging memory.
public final class FallbackKernels implements Kernels {
    /// Bytes of the input, and of the output, that are on the host at once.
    private static final long HALF = 2 << 20;
    private static final int MOST_IDLE = 4;
    private static final Kernels HOST = new HostKernels();

    private final LongFunction<StagingBuffer> staging;
    private final @Nullable Kernels own;
    private final ArrayDeque<StagingBuffer> idle = new ArrayDeque<>();

    /// Every pair on the host.
    ///
    /// @param staging such as the backend's own [io.fastsafetensors.spi.Backend#allocateStaging(long)]
    public FallbackKernels(LongFunction<StagingBuffer> staging) {
        this(staging, null);
    }

    /// The pairs that `own` supports by `own`, all others on the host.
    ///
    /// @param staging such as the backend's own [io.fastsafetensors.spi.Backend#allocateStaging(long)]
    /// @param own the device's kernels; null for none
    public FallbackKernels(LongFunction<StagingBuffer> staging, @Nullable Kernels own) {
        this.staging = staging;
        this.own = own;
    }

    @Override
    public boolean supports(DType from, DType to) {
        return Requests.supports(from, to);
    }

    @Override
    public boolean dequantizes(DType from, DType to) {
        return own != null && own.dequantizes(from, to);
    }

    @Override
    public void dequantize(CopyStream stream, BufferSlice source, DType from, BufferSlice scales, ScaleGrid grid,
            long firstElement, long firstScale, BufferSlice target, DType to) {
        if (own == null) {
            Kernels.super.dequantize(stream, source, from, scales, grid, firstElement, firstScale, target, to);
        } else {
            own.dequantize(stream, source, from, scales, grid, firstElement, firstScale, target, to);
        }
    }

    @Override
    public void convert(CopyStream stream, BufferSlice source, DType from, BufferSlice target, DType to,
            long elements) {
        if (own != null && own.supports(from, to)) {
            own.convert(stream, source, from, target, to, elements);
            return;
        }
        Requests.requireConvert(source, from, target, to, elements);
        if (areOnHost(source, target)) {
            HOST.convert(stream, source, from, target, to, elements);
        } else if (elements == 0) {
            stream.synchronize();
        } else {
            withStaging((in, out) -> convert(stream, source, from, target, to, elements, in, out));
        }
    }

    private static void convert(CopyStream stream, BufferSlice source, DType from, BufferSlice target, DType to,
            long elements, MemorySegment in, MemorySegment out) {
        // A multiple of 8, so that elements smaller than a byte begin on whole bytes.
        long most = HALF / 8;
        for (long done = 0; done < elements; done += most) {
            long count = Math.min(most, elements - done);
            long bytes = from.byteSize(count);
            fetch(stream, source, from.byteSize(done), in.asSlice(0, bytes));
            HostKernels.convert(in, 0, from, out, 0, to, count);
            store(stream, out.asSlice(0, to.byteSize(count)), target, to.byteSize(done));
        }
    }

    @Override
    public void gather(CopyStream stream, BufferSlice source, DType from, Strided view, BufferSlice target,
            DType to) {
        if (own != null && own.supports(from, to)) {
            own.gather(stream, source, from, view, target, to);
            return;
        }
        long elements = Requests.requireGather(source, from, view, target, to);
        if (areOnHost(source, target)) {
            HOST.gather(stream, source, from, view, target, to);
        } else if (elements == 0) {
            stream.synchronize();
        } else {
            withStaging((in, out) -> gather(stream, source, from, view, target, 0, to, in, out));
        }
    }

    /// Gathers a view whose elements lie so near to each other that they fit the staging memory; cuts others in two.
    private static void gather(CopyStream stream, BufferSlice source, DType from, Strided view, BufferSlice target,
            long targetAt, DType to, MemorySegment in, MemorySegment out) {
        long elements = view.shape().elements();
        long lowest = view.lowest();
        long span = from.byteSize(view.highest() - lowest + 1);
        if (span <= HALF && to.byteSize(elements) <= HALF) {
            fetch(stream, source, from.byteSize(lowest), in.asSlice(0, span));
            Strided near = new Strided(view.shape(), view.offset() - lowest, view.strides());
            HostKernels.gather(in, 0, from, near, out, 0, to, elements);
            store(stream, out.asSlice(0, to.byteSize(elements)), target, targetAt);
            return;
        }
        long[] dims = view.shape().toArray();
        int outer = 0;
        while (dims[outer] == 1) {
            outer++;
        }
        long first = dims[outer] / 2;
        long[] head = dims.clone();
        long[] tail = dims.clone();
        head[outer] = first;
        tail[outer] = dims[outer] - first;
        gather(stream, source, from, new Strided(Shape.of(head), view.offset(), view.strides()), target, targetAt, to,
                in, out);
        gather(stream, source, from,
                new Strided(Shape.of(tail), view.offset() + first * view.stride(outer), view.strides()), target,
                targetAt + to.byteSize(Arrays.stream(head).reduce(1, (a, b) -> a * b)), to, in, out);
    }

    private static void fetch(CopyStream stream, BufferSlice source, long at, MemorySegment host) {
        stream.copyToHost(source.buffer(), source.offset() + at, host);
        stream.synchronize();
    }

    private static void store(CopyStream stream, MemorySegment host, BufferSlice target, long at) {
        stream.copyToDevice(host, target.buffer(), target.offset() + at);
        stream.synchronize();
    }

    private static boolean areOnHost(BufferSlice source, BufferSlice target) {
        return isOnHost(source.buffer()) && isOnHost(target.buffer());
    }

    private static boolean isOnHost(DeviceBuffer buffer) {
        return buffer.segment().isPresent();
    }

    /// Work with memory for the input and for the output.
    private interface Work {
        void run(MemorySegment in, MemorySegment out);
    }

    private void withStaging(Work work) {
        StagingBuffer taken;
        synchronized (idle) {
            taken = idle.poll();
        }
        StagingBuffer slot = taken == null ? staging.apply(2 * HALF) : taken;
        boolean done = false;
        try {
            MemorySegment memory = slot.segment();
            work.run(memory.asSlice(0, HALF), memory.asSlice(HALF, HALF));
            done = true;
        } finally {
            giveBack(slot, done);
        }
    }

    /// After a failure the device may still use the memory: the backend frees it when it is closed.
    private void giveBack(StagingBuffer slot, boolean done) {
        if (!done) {
            return;
        }
        synchronized (idle) {
            if (idle.size() < MOST_IDLE) {
                idle.push(slot);
                return;
            }
        }
        slot.close();
    }
}
