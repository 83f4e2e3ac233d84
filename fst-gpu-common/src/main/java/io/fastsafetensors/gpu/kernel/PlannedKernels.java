package io.fastsafetensors.gpu.kernel;

import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Kernels;
import io.fastsafetensors.spi.ScaleGrid;
import io.fastsafetensors.spi.Strided;
import io.fastsafetensors.types.DType;
import java.util.List;

/// The kernels of a GPU backend as [KernelPlan] plans them; a subclass launches the calls.
public abstract class PlannedKernels implements Kernels {
    /// For subclasses.
    protected PlannedKernels() {
    }

    /// Launches calls in order on a stream.
    ///
    /// @param stream as the caller gave it; refused if it is not one of the backend's
    /// @param source the buffer that the calls read, scales included
    /// @param target the buffer that they write
    /// @param calls none if there are no elements
    /// @throws IllegalArgumentException if it is not a stream of this backend
    protected abstract void launch(CopyStream stream, DeviceBuffer source, DeviceBuffer target, List<KernelCall> calls);

    @Override
    public final boolean supports(DType from, DType to) {
        return KernelPlan.supports(from, to);
    }

    @Override
    public final void convert(CopyStream stream, BufferSlice source, DType from, BufferSlice target, DType to,
            long elements) {
        launch(stream, source.buffer(), target.buffer(), KernelPlan.convert(source, from, target, to, elements));
    }

    @Override
    public final void gather(CopyStream stream, BufferSlice source, DType from, Strided view, BufferSlice target,
            DType to) {
        launch(stream, source.buffer(), target.buffer(), KernelPlan.gather(source, from, view, target, to));
    }

    @Override
    public final boolean dequantizes(DType from, DType to) {
        return KernelPlan.dequantizes(from, to);
    }

    @Override
    public final void dequantize(CopyStream stream, BufferSlice source, DType from, BufferSlice scales, ScaleGrid grid,
            long firstElement, long firstScale, BufferSlice target, DType to) {
        launch(stream, source.buffer(), target.buffer(),
                KernelPlan.dequantize(source, from, scales, grid, firstElement, firstScale, target, to));
    }
}
