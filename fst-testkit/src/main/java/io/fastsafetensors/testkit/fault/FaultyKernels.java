package io.fastsafetensors.testkit.fault;

import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.Kernels;
import io.fastsafetensors.spi.ScaleGrid;
import io.fastsafetensors.spi.Strided;
import io.fastsafetensors.spi.kernel.Requests;
import io.fastsafetensors.types.DType;

/// Kernels on faulty streams. When work is deferred, arguments are still checked at the call, as the contract asks:
/// by the real kernels on nothing is not possible, so the sizes are checked here.
final class FaultyKernels implements Kernels {
    private final Kernels delegate;

    FaultyKernels(Kernels delegate) {
        this.delegate = delegate;
    }

    @Override
    public boolean supports(DType from, DType to) {
        return delegate.supports(from, to);
    }

    @Override
    public void convert(CopyStream stream, BufferSlice source, DType from, BufferSlice target, DType to,
            long elements) {
        FaultyStream faulty = (FaultyStream) stream;
        BufferSlice realSource = FaultyBuffer.real(source);
        BufferSlice realTarget = FaultyBuffer.real(target);
        faulty.submitKernel(supports(from, to) && fits(source, from, elements) && fits(target, to, elements),
                real -> delegate.convert(real, realSource, from, realTarget, to, elements));
    }

    @Override
    public void gather(CopyStream stream, BufferSlice source, DType from, Strided view, BufferSlice target,
            DType to) {
        FaultyStream faulty = (FaultyStream) stream;
        BufferSlice realSource = FaultyBuffer.real(source);
        BufferSlice realTarget = FaultyBuffer.real(target);
        faulty.submitKernel(supports(from, to) && isInside(source, from, view, target, to),
                real -> delegate.gather(real, realSource, from, view, realTarget, to));
    }

    @Override
    public boolean dequantizes(DType from, DType to) {
        return delegate.dequantizes(from, to);
    }

    @Override
    public void dequantize(CopyStream stream, BufferSlice source, DType from, BufferSlice scales, ScaleGrid grid,
            long firstElement, long firstScale, BufferSlice target, DType to) {
        FaultyStream faulty = (FaultyStream) stream;
        BufferSlice realSource = FaultyBuffer.real(source);
        BufferSlice realScales = FaultyBuffer.real(scales);
        BufferSlice realTarget = FaultyBuffer.real(target);
        faulty.submitKernel(
                dequantizes(from, to) && fits(source, from, scales, grid, firstElement, firstScale, target, to),
                real -> delegate.dequantize(real, realSource, from, realScales, grid, firstElement, firstScale,
                        realTarget, to));
    }

    private static boolean fits(BufferSlice slice, DType dtype, long elements) {
        try {
            return elements >= 0 && dtype.byteSize(elements) == slice.byteSize();
        } catch (ArithmeticException _) {
            return false;
        }
    }

    private static boolean fits(BufferSlice source, DType from, BufferSlice scales, ScaleGrid grid, long firstElement,
            long firstScale, BufferSlice target, DType to) {
        try {
            Requests.requireDequantize(source, from, scales, grid, firstElement, firstScale, target, to);
            return true;
        } catch (IllegalArgumentException _) {
            return false;
        }
    }

    private static boolean isInside(BufferSlice source, DType from, Strided view, BufferSlice target, DType to) {
        if (from.isSubByte() || to.isSubByte()) {
            return false;
        }
        long elements = view.shape().elements();
        long available = source.byteSize() / from.byteSize(1);
        return fits(target, to, elements) && (elements == 0 || (view.lowest() >= 0 && view.highest() < available));
    }
}
