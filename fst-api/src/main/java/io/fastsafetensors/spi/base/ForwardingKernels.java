package io.fastsafetensors.spi.base;

import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.Kernels;
import io.fastsafetensors.spi.ScaleGrid;
import io.fastsafetensors.spi.Strided;
import io.fastsafetensors.types.DType;

/// Forwards everything to the kernels of another backend, with the streams and buffers that it made; a subclass overrides
/// what it changes.
public class ForwardingKernels implements Kernels {
    private final ForwardingBackend owner;
    private final Kernels delegate;

    /// @param owner the backend that hands this out
    /// @param delegate the kernels themselves
    public ForwardingKernels(ForwardingBackend owner, Kernels delegate) {
        this.owner = owner;
        this.delegate = delegate;
    }

    /// The kernels themselves.
    protected final Kernels delegate() {
        return delegate;
    }

    @Override
    public boolean supports(DType from, DType to) {
        return delegate.supports(from, to);
    }

    @Override
    public void convert(CopyStream stream, BufferSlice source, DType from, BufferSlice target, DType to,
            long elements) {
        delegate.convert(owner.unwrap(stream), owner.unwrap(source), from, owner.unwrap(target), to, elements);
    }

    @Override
    public boolean dequantizes(DType from, DType to) {
        return delegate.dequantizes(from, to);
    }

    @Override
    public void dequantize(CopyStream stream, BufferSlice source, DType from, BufferSlice scales, ScaleGrid grid,
            long firstElement, long firstScale, BufferSlice target, DType to) {
        delegate.dequantize(owner.unwrap(stream), owner.unwrap(source), from, owner.unwrap(scales), grid, firstElement,
                firstScale, owner.unwrap(target), to);
    }

    @Override
    public void gather(CopyStream stream, BufferSlice source, DType from, Strided view, BufferSlice target,
            DType to) {
        delegate.gather(owner.unwrap(stream), owner.unwrap(source), from, view, owner.unwrap(target), to);
    }
}
