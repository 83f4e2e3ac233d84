package io.fastsafetensors.backend.rocm.opencl;

import io.fastsafetensors.backend.rocm.opencl.binding.ClStatus;
import io.fastsafetensors.backend.rocm.opencl.binding.OpenCl;
import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.gpu.kernel.KernelCall;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.HashMap;
import java.util.Map;

/// The kernels of one stream: arguments belong to the kernel object, so that streams cannot share one. Used by one
/// thread at a time.
final class StreamKernels {
    /// Groups of every launch on a processor: many enough for its cores, few enough for those that find nothing to do.
    private static final int GROUPS_ON_HOST = 256;

    /// A kernel whose arguments are set.
    ///
    /// @param handle the `cl_kernel`
    /// @param largestGroup how many work items fit into a group of it
    /// @param onHost whether the device is the host's own processor
    record Kernel(long handle, int largestGroup, boolean onHost) {
        /// All work items of a launch. PoCL (3.1 and 5.0 did) builds a kernel anew for a launch that is wider than those
        /// before, confuses the two when both are under way, and aborts the process: what runs on a processor is always of
        /// one width.
        long globalSize(KernelCall call) {
            return (long) (onHost ? GROUPS_ON_HOST : call.groups()) * call.groupSize();
        }

        /// The largest group that divides the one that the call was planned with: the kernels stride over the grid, so
        /// that only the number of work items is left to keep.
        long localSize(KernelCall call) {
            int size = Math.min(call.groupSize(), largestGroup);
            while (call.groupSize() % size != 0) {
                size--;
            }
            return size;
        }
    }

    private final OpenClBackend backend;
    private final Map<String, Kernel> kernels = new HashMap<>();

    StreamKernels(OpenClBackend backend) {
        this.backend = backend;
    }

    /// Sets the arguments of a call.
    ///
    /// @param source the `cl_mem` that is read
    /// @param target the `cl_mem` that is written
    Kernel prepare(KernelCall call, long source, long target) {
        Kernel kernel = kernels.get(call.function());
        if (kernel == null) {
            kernel = create(call.function());
            kernels.put(call.function(), kernel);
        }
        byte[][] arguments = {word(source), word(call.sourceOffset()), word(target), word(call.targetOffset()),
            call.parameters()};
        for (int i = 0; i < arguments.length; i++) {
            ClStatus.check("clSetKernelArg", backend.cl().clSetKernelArg(kernel.handle(), i, arguments[i]));
        }
        return kernel;
    }

    void close() {
        Releases releases = new Releases();
        kernels.values().forEach(kernel -> releases.run(() -> release(kernel.handle())));
        kernels.clear();
        releases.finish();
    }

    private Kernel create(String function) {
        ClProgram program = backend.program();
        long handle = program.createKernel(function);
        try {
            return new Kernel(handle, program.largestGroup(handle), backend.isHost());
        } catch (RuntimeException e) {
            throw new Releases().run(() -> release(handle)).because(e);
        }
    }

    private void release(long kernel) {
        OpenCl cl = backend.cl();
        ClStatus.check("clReleaseKernel", cl.clReleaseKernel(kernel));
    }

    /// A `ulong` or a `cl_mem` as the driver reads it from memory.
    private static byte[] word(long value) {
        return ByteBuffer.allocate(Long.BYTES).order(ByteOrder.nativeOrder()).putLong(value).array();
    }
}
