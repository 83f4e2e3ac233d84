package io.fastsafetensors.backend.cuda;

import io.fastsafetensors.backend.cuda.driver.CudaDriver;
import io.fastsafetensors.gpu.kernel.KernelCall;
import io.fastsafetensors.gpu.kernel.KernelPlan;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Kernels;
import io.fastsafetensors.spi.ScaleGrid;
import io.fastsafetensors.spi.Strided;
import io.fastsafetensors.gpu.kernel.KernelCall;
import io.fastsafetensors.gpu.kernel.KernelPlan;
import io.fastsafetensors.spi.base.Lifetime;
import io.fastsafetensors.types.DType;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;

/// The shared kernels, launched on the stream's own queue. Thread-safe.
final class CudaKernels implements Kernels {
    private final CudaContext context;
    private final CudaDriver driver;
    private final KernelModule module;
    private final Lifetime backend;

    /// @param backend ends these kernels with it
    CudaKernels(CudaContext context, KernelModule module, Lifetime backend) {
        this.context = context;
        this.driver = context.driver();
        this.module = module;
        this.backend = backend;
    }

    @Override
    public boolean supports(DType from, DType to) {
        return KernelPlan.supports(from, to);
    }

    @Override
    public void convert(CopyStream stream, BufferSlice source, DType from, BufferSlice target, DType to,
            long elements) {
        launch(stream, source.buffer(), target.buffer(), KernelPlan.convert(source, from, target, to, elements));
    }

    @Override
    public boolean dequantizes(DType from, DType to) {
        return KernelPlan.dequantizes(from, to);
    }

    @Override
    public void dequantize(CopyStream stream, BufferSlice source, DType from, BufferSlice scales, ScaleGrid grid,
            long firstElement, long firstScale, BufferSlice target, DType to) {
        launch(stream, source.buffer(), target.buffer(), KernelPlan.dequantize(source, from, scales, grid, firstElement,
                firstScale, target, to));
    }

    @Override
    public void gather(CopyStream stream, BufferSlice source, DType from, Strided view, BufferSlice target,
            DType to) {
        launch(stream, source.buffer(), target.buffer(), KernelPlan.gather(source, from, view, target, to));
    }

    private void launch(CopyStream stream, DeviceBuffer source, DeviceBuffer target, List<KernelCall> calls) {
        backend.requireOpen();
        if (!(stream instanceof CudaCopyStream cuda) || !cuda.isOf(context)) {
            throw new IllegalArgumentException("not a stream of this backend: " + stream);
        }
        CudaDriver.Stream queue = cuda.stream();
        byte[] from = bytes(source.handle().value());
        byte[] to = bytes(target.handle().value());
        for (KernelCall call : calls) {
            CudaDriver.Function function = module.function(call.function());
            byte[][] arguments = {from, bytes(call.sourceOffset()), to, bytes(call.targetOffset()), call.parameters()};
            context.run("cuLaunchKernel",
                    () -> driver.cuLaunchKernel(function, call.groups(), call.groupSize(), queue, arguments));
        }
    }

    private static byte[] bytes(long word) {
        return ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN).putLong(word).array();
    }
}
