package io.fastsafetensors.backend.rocm.opencl;

import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.Kernels;
import io.fastsafetensors.spi.ScaleGrid;
import io.fastsafetensors.spi.Strided;
import io.fastsafetensors.gpu.kernel.KernelPlan;
import io.fastsafetensors.types.DType;

/// The shared kernels, launched on a stream of this backend.
final class ClKernels implements Kernels {
    private final OpenClBackend backend;

    ClKernels(OpenClBackend backend) {
        this.backend = backend;
    }

    @Override
    public boolean supports(DType from, DType to) {
        return KernelPlan.supports(from, to);
    }

    @Override
    public void convert(CopyStream stream, BufferSlice source, DType from, BufferSlice target, DType to,
            long elements) {
        own(stream).launch(KernelPlan.convert(source, from, target, to, elements), source.buffer(), target.buffer());
    }

    @Override
    public boolean dequantizes(DType from, DType to) {
        return KernelPlan.dequantizes(from, to);
    }

    @Override
    public void dequantize(CopyStream stream, BufferSlice source, DType from, BufferSlice scales, ScaleGrid grid,
            long firstElement, long firstScale, BufferSlice target, DType to) {
        own(stream).launch(KernelPlan.dequantize(source, from, scales, grid, firstElement, firstScale, target, to),
                source.buffer(), target.buffer());
    }

    @Override
    public void gather(CopyStream stream, BufferSlice source, DType from, Strided view, BufferSlice target, DType to) {
        own(stream).launch(KernelPlan.gather(source, from, view, target, to), source.buffer(), target.buffer());
    }

    private ClStream own(CopyStream stream) {
        if (stream instanceof ClStream own && own.isOf(backend)) {
            return own;
        }
        throw new IllegalArgumentException("not a stream of this backend: " + stream);
    }
}
