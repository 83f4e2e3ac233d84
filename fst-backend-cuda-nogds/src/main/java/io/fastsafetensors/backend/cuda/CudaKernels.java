package io.fastsafetensors.backend.cuda;

import io.fastsafetensors.backend.cuda.driver.CudaDriver;
import io.fastsafetensors.gpu.kernel.KernelCall;
import io.fastsafetensors.gpu.kernel.PlannedKernels;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.base.Lifetime;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;

/// The shared kernels, launched on the stream's own queue. Thread-safe.
final class CudaKernels extends PlannedKernels {
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
    protected void launch(CopyStream stream, DeviceBuffer source, DeviceBuffer target, List<KernelCall> calls) {
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
