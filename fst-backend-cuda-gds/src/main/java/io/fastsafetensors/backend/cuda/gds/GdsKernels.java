package io.fastsafetensors.backend.cuda.gds;

import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.Kernels;
import io.fastsafetensors.spi.ScaleGrid;
import io.fastsafetensors.spi.Strided;
import io.fastsafetensors.types.DType;

/// The kernels of the decorated backend, which get their own streams and buffers to see.
///
/// @param delegate the decorated backend's kernels
record GdsKernels(Kernels delegate) implements Kernels {
    @Override
    public boolean supports(DType from, DType to) {
        return delegate.supports(from, to);
    }

    @Override
    public void convert(CopyStream stream, BufferSlice source, DType from, BufferSlice target, DType to,
            long elements) {
        delegate.convert(GdsStream.real(stream), GdsBuffer.real(source), from, GdsBuffer.real(target), to, elements);
    }

    @Override
    public boolean dequantizes(DType from, DType to) {
        return delegate.dequantizes(from, to);
    }

    @Override
    public void dequantize(CopyStream stream, BufferSlice source, DType from, BufferSlice scales, ScaleGrid grid,
            long firstElement, long firstScale, BufferSlice target, DType to) {
        delegate.dequantize(GdsStream.real(stream), GdsBuffer.real(source), from, GdsBuffer.real(scales), grid,
                firstElement, firstScale, GdsBuffer.real(target), to);
    }

    @Override
    public void gather(CopyStream stream, BufferSlice source, DType from, Strided view, BufferSlice target,
            DType to) {
        delegate.gather(GdsStream.real(stream), GdsBuffer.real(source), from, view, GdsBuffer.real(target), to);
    }
}
