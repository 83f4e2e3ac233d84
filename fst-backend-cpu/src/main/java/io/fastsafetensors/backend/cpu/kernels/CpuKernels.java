package io.fastsafetensors.backend.cpu.kernels;

import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.Kernels;
import io.fastsafetensors.spi.Strided;
import io.fastsafetensors.types.DType;
import java.lang.foreign.MemorySegment;

/// Kernels that run on the calling thread and are done when a call returns. Stateless and thread-safe. Works on every
/// buffer that the host can address.
public final class CpuKernels implements Kernels {
    private static final Where WHERE = Where.backend("cpu");

    /// Costs nothing; tables are made when a pair is first used.
    public CpuKernels() {
    }

    @Override
    public boolean supports(DType from, DType to) {
        return from == to || (from != DType.C64 && to != DType.C64);
    }

    @Override
    public void convert(CopyStream stream, BufferSlice source, DType from, BufferSlice target, DType to,
            long elements) {
        requireSupport(from, to);
        requireSize("source", source, from, elements);
        requireSize("target", target, to, elements);
        requireApart(source, target);
        stream.synchronize();
        if (elements == 0) {
            return;
        }
        if (from == to) {
            MemorySegment.copy(memory(source), source.offset(), memory(target), target.offset(), source.byteSize());
        } else {
            Conversion.of(from, to).convert(memory(source), source.offset(), memory(target), target.offset(),
                    elements);
        }
    }

    @Override
    public void gather(CopyStream stream, BufferSlice source, DType from, Strided view, BufferSlice target,
            DType to) {
        requireSupport(from, to);
        if (from.isSubByte() || to.isSubByte()) {
            throw new UnsupportedFeatureException("gather from " + from + " to " + to
                    + ": elements smaller than a byte are not gathered; slice whole bytes of them as U8", WHERE);
        }
        long elements = elements(view);
        requireSize("target", target, to, elements);
        requireApart(source, target);
        if (elements == 0) {
            stream.synchronize();
            return;
        }
        requireInside(source, from, view);
        stream.synchronize();
        gather(source, from, view, target, to, elements);
    }

    private static void gather(BufferSlice source, DType from, Strided view, BufferSlice target, DType to,
            long elements) {
        MemorySegment input = memory(source);
        MemorySegment output = memory(target);
        int size = from.bits() / 8;
        Gather walk = new Gather(view, size, source.offset());
        if (from == to) {
            int merged = walk.widen();
            walk.next(input, output, target.offset(), elements / merged);
            return;
        }
        Conversion conversion = Conversion.of(from, to);
        if (walk.isContiguous()) {
            conversion.convert(input, walk.start(), output, target.offset(), elements);
            return;
        }
        Scratch scratch = Scratch.mine();
        for (long done = 0; done < elements; done += Scratch.RUN) {
            int count = (int) Math.min(Scratch.RUN, elements - done);
            walk.next(input, scratch.gathered, 0, count);
            conversion.run(scratch, scratch.gathered, 0, output, target.offset() + to.byteSize(done), count);
        }
    }

    private void requireSupport(DType from, DType to) {
        if (!supports(from, to)) {
            throw new UnsupportedFeatureException(
                    "no conversion from " + from + " to " + to + "; C64 converts only to itself", WHERE);
        }
    }

    private static void requireSize(String what, BufferSlice slice, DType dtype, long elements) {
        long bytes;
        try {
            bytes = dtype.byteSize(elements);
        } catch (ArithmeticException e) {
            throw new IllegalArgumentException(elements + " elements of " + dtype + " do not fit the " + what, e);
        }
        if (elements < 0 || bytes != slice.byteSize()) {
            throw new IllegalArgumentException(elements + " elements of " + dtype + " take " + bytes
                    + " bytes, but the " + what + " has " + slice.byteSize());
        }
    }

    private static void requireApart(BufferSlice source, BufferSlice target) {
        if (bytes(source).asOverlappingSlice(bytes(target)).isPresent()) {
            throw new IllegalArgumentException("source and target overlap: bytes " + source.offset() + " to "
                    + (source.offset() + source.byteSize()) + " and " + target.offset() + " to "
                    + (target.offset() + target.byteSize()));
        }
    }

    private static long elements(Strided view) {
        try {
            return view.shape().elements();
        } catch (ArithmeticException e) {
            throw new IllegalArgumentException("too many elements: " + view, e);
        }
    }

    /// As [Strided#lowest()] and [Strided#highest()], but no stride is so large that it escapes by overflow.
    private static void requireInside(BufferSlice source, DType dtype, Strided view) {
        long available = source.byteSize() / (dtype.bits() / 8);
        try {
            long lowest = view.offset();
            long highest = view.offset();
            for (int d = 0; d < view.shape().rank(); d++) {
                long reach = Math.multiplyExact(view.stride(d), view.shape().dim(d) - 1);
                lowest = Math.addExact(lowest, Math.min(reach, 0));
                highest = Math.addExact(highest, Math.max(reach, 0));
            }
            if (lowest >= 0 && highest < available) {
                return;
            }
        } catch (ArithmeticException e) {
            throw new IllegalArgumentException(outside(view, dtype, available), e);
        }
        throw new IllegalArgumentException(outside(view, dtype, available));
    }

    private static String outside(Strided view, DType dtype, long available) {
        return "the view " + view + " reaches outside the source's " + available + " elements of " + dtype;
    }

    private static MemorySegment memory(BufferSlice slice) {
        return slice.buffer().segment()
                .orElseThrow(() -> new IllegalArgumentException("not in host memory: " + slice.buffer()));
    }

    private static MemorySegment bytes(BufferSlice slice) {
        return memory(slice).asSlice(slice.offset(), slice.byteSize());
    }
}
