package io.fastsafetensors.testkit.host;

import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.Kernels;
import io.fastsafetensors.spi.ScaleGrid;
import io.fastsafetensors.spi.Strided;
import io.fastsafetensors.spi.kernel.Requests;
import io.fastsafetensors.testkit.reference.DequantizationReference;
import io.fastsafetensors.testkit.reference.ScalarReference;
import io.fastsafetensors.types.DType;
import java.lang.foreign.MemorySegment;
import java.util.Set;

/// The scalar reference, behind the checks of the contract.
final class HostKernels implements Kernels {
    @Override
    public boolean supports(DType from, DType to) {
        return ScalarReference.converts(from, to);
    }

    @Override
    public void convert(CopyStream stream, BufferSlice source, DType from, BufferSlice target, DType to,
            long elements) {
        requireOpen(stream);
        requirePair(from, to);
        if (size(from, elements) != source.byteSize() || size(to, elements) != target.byteSize()) {
            throw new IllegalArgumentException("sizes do not fit " + elements + " elements");
        }
        ScalarReference.convert(memory(source), from, memory(target), to, elements);
    }

    @Override
    public void gather(CopyStream stream, BufferSlice source, DType from, Strided view, BufferSlice target,
            DType to) {
        requireOpen(stream);
        requirePair(from, to);
        long elements = view.shape().elements();
        boolean subByte = from.isSubByte() || to.isSubByte();
        if (subByte || size(to, elements) != target.byteSize() || (elements > 0
                && (view.lowest() < 0 || view.highest() >= source.byteSize() / from.byteSize(1)))) {
            throw new IllegalArgumentException(view + " does not fit");
        }
        ScalarReference.gather(memory(source), from, view, memory(target), to);
    }

    private static void requireOpen(CopyStream stream) {
        if (stream instanceof HostStream host) {
            host.requireOpen();
        }
    }

    @Override
    public boolean dequantizes(DType from, DType to) {
        return Set.of(DType.F8_E4M3, DType.F8_E5M2, DType.F8_E4M3FNUZ, DType.F8_E5M2FNUZ, DType.F4, DType.I8)
                .contains(from) && Set.of(DType.BF16, DType.F16, DType.F32).contains(to);
    }

    @Override
    public void dequantize(CopyStream stream, BufferSlice source, DType from, BufferSlice scales, ScaleGrid grid,
            long firstElement, long firstScale, BufferSlice target, DType to) {
        Requests.requireDequantize(source, from, scales, grid, firstElement, firstScale, target, to);
        DequantizationReference.multiply(memory(source), from, memory(scales), grid, firstElement, firstScale,
                memory(target), to, target.byteSize() * 8 / to.bits());
    }

    private static void requirePair(DType from, DType to) {
        if (!ScalarReference.converts(from, to)) {
            throw new UnsupportedFeatureException(from + " to " + to, Where.backend("host"));
        }
    }

    private static long size(DType dtype, long elements) {
        try {
            return elements < 0 ? -1 : dtype.byteSize(elements);
        } catch (ArithmeticException _) {
            return -1;
        }
    }

    private static MemorySegment memory(BufferSlice slice) {
        return HostBuffer.memory(slice.buffer()).asSlice(slice.offset(), slice.byteSize());
    }
}
