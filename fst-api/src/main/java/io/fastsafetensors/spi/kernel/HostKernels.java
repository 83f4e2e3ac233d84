package io.fastsafetensors.spi.kernel;

import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.Kernels;
import io.fastsafetensors.spi.Strided;
import io.fastsafetensors.types.DType;
import java.lang.foreign.MemorySegment;

/// Kernels on the host's processor, for buffers that the host can address. They run on the calling thread, after what the
/// stream has queued, and are done when a call returns. Stateless and thread-safe. [FallbackKernels] serve buffers that the
/// host cannot address.
public final class HostKernels implements Kernels {
    /// Costs nothing; tables are made when a pair is first used.
    public HostKernels() {
    }

    @Override
    public boolean supports(DType from, DType to) {
        return Requests.supports(from, to);
    }

    /// @throws IllegalArgumentException also if a buffer has no segment
    @Override
    public void convert(CopyStream stream, BufferSlice source, DType from, BufferSlice target, DType to,
            long elements) {
        Requests.requireConvert(source, from, target, to, elements);
        MemorySegment input = memory(source);
        MemorySegment output = memory(target);
        requireApart(input.asSlice(source.offset(), source.byteSize()),
                output.asSlice(target.offset(), target.byteSize()));
        stream.synchronize();
        convert(input, source.offset(), from, output, target.offset(), to, elements);
    }

    /// @throws IllegalArgumentException also if a buffer has no segment
    @Override
    public void gather(CopyStream stream, BufferSlice source, DType from, Strided view, BufferSlice target,
            DType to) {
        long elements = Requests.requireGather(source, from, view, target, to);
        MemorySegment input = memory(source);
        MemorySegment output = memory(target);
        requireApart(input.asSlice(source.offset(), source.byteSize()),
                output.asSlice(target.offset(), target.byteSize()));
        stream.synchronize();
        if (elements > 0) {
            gather(input, source.offset(), from, view, output, target.offset(), to, elements);
        }
    }

    /// @param sourceAt the first element's byte in the source, `targetAt` that in the target
    static void convert(MemorySegment source, long sourceAt, DType from, MemorySegment target, long targetAt, DType to,
            long elements) {
        if (elements == 0) {
            return;
        }
        if (from == to) {
            MemorySegment.copy(source, sourceAt, target, targetAt, from.byteSize(elements));
        } else {
            Conversion.of(from, to).convert(source, sourceAt, target, targetAt, elements);
        }
    }

    /// @param sourceAt the byte that the view's indices count from
    /// @param elements of the view, at least one
    static void gather(MemorySegment source, long sourceAt, DType from, Strided view, MemorySegment target,
            long targetAt, DType to, long elements) {
        Gather walk = new Gather(view, from.bits() / 8, sourceAt);
        int merged = from == to ? walk.widen() : 1;
        Conversion conversion = from == to ? null : Conversion.of(from, to);
        Transposition transposition = walk.transposition(conversion, to);
        if (transposition != null) {
            transposition.run(source, target, targetAt);
            return;
        }
        if (conversion == null) {
            walk.next(source, target, targetAt, elements / merged);
            return;
        }
        if (walk.isContiguous()) {
            conversion.convert(source, walk.start(), target, targetAt, elements);
            return;
        }
        Scratch scratch = Scratch.mine();
        for (long done = 0; done < elements; done += Scratch.RUN) {
            int count = (int) Math.min(Scratch.RUN, elements - done);
            walk.next(source, scratch.gathered, 0, count);
            conversion.run(scratch, scratch.gathered, 0, target, targetAt + to.byteSize(done), count);
        }
    }

    /// Two buffers may be made around one memory of the host.
    private static void requireApart(MemorySegment source, MemorySegment target) {
        if (source.asOverlappingSlice(target).isPresent()) {
            throw new IllegalArgumentException("source and target overlap: " + source + " and " + target);
        }
    }

    private static MemorySegment memory(BufferSlice slice) {
        return slice.buffer().segment()
                .orElseThrow(() -> new IllegalArgumentException("not in host memory: " + slice.buffer()));
    }
}
