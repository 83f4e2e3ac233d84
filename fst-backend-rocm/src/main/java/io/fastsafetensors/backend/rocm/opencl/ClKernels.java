package io.fastsafetensors.backend.rocm.opencl;

import io.fastsafetensors.gpu.kernel.KernelCall;
import io.fastsafetensors.gpu.kernel.PlannedKernels;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import java.util.List;

/// The shared kernels, launched on a stream of this backend.
final class ClKernels extends PlannedKernels {
    private final OpenClBackend backend;

    ClKernels(OpenClBackend backend) {
        this.backend = backend;
    }

    @Override
    protected void launch(CopyStream stream, DeviceBuffer source, DeviceBuffer target, List<KernelCall> calls) {
        own(stream).launch(calls, source, target);
    }

    private ClStream own(CopyStream stream) {
        if (stream instanceof ClStream own && own.isOf(backend)) {
            return own;
        }
        throw new IllegalArgumentException("not a stream of this backend: " + stream);
    }
}
