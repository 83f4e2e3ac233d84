package io.fastsafetensors.backend.rocm.opencl;

import io.fastsafetensors.backend.rocm.opencl.binding.ClStatus;
import io.fastsafetensors.backend.rocm.opencl.binding.OpenCl;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.gpu.kernel.KernelSource;

/// The kernels of one context, compiled when the first one is wanted. Thread-safe.
final class ClProgram {
    private static final String OPTIONS = "-cl-std=CL1.2";
    /// As much of a compiler's output as a message should have.
    private static final int LOG_CHARACTERS = 2000;

    private final OpenCl cl;
    private final long context;
    private final ClDevice device;
    private long program;

    ClProgram(OpenCl cl, long context, ClDevice device) {
        this.cl = cl;
        this.context = context;
        this.device = device;
    }

    /// Creates a kernel that the caller releases.
    ///
    /// @throws BackendException if the driver refuses, with the compiler's output if that is the reason
    synchronized long createKernel(String function) {
        if (program == 0) {
            program = build();
        }
        int[] status = new int[1];
        return ClStatus.check("clCreateKernel", cl.clCreateKernel(program, function, status), status);
    }

    /// How many work items of a kernel fit into a group.
    int largestGroup(long kernel) {
        long[] size = new long[1];
        ClStatus.check("clGetKernelWorkGroupInfo",
                cl.clGetKernelWorkGroupInfo(kernel, device.handle(), OpenCl.CL_KERNEL_WORK_GROUP_SIZE, size));
        return Math.toIntExact(size[0]);
    }

    /// Releases the program, if there is one. No kernel is created afterwards.
    synchronized void close() {
        if (program != 0) {
            long released = program;
            program = 0;
            ClStatus.check("clReleaseProgram", cl.clReleaseProgram(released));
        }
    }

    private long build() {
        int[] status = new int[1];
        long built = ClStatus.check("clCreateProgramWithSource",
                cl.clCreateProgramWithSource(context, KernelSource.text(), status), status);
        int result = cl.clBuildProgram(built, device.handle(), OPTIONS);
        if (result == OpenCl.CL_SUCCESS) {
            return built;
        }
        String log = result == OpenCl.CL_BUILD_PROGRAM_FAILURE ? log(built) : "";
        throw new Releases().run(() -> ClStatus.check("clReleaseProgram", cl.clReleaseProgram(built)))
                .because(ClStatus.failure("clBuildProgram", result, log));
    }

    private String log(long built) {
        String heading = "; the compiler of " + device.info().name() + " says: ";
        try {
            String log = new OpenClQuery(cl).buildLog(built, device.handle());
            return heading + (log.length() <= LOG_CHARACTERS ? log : log.substring(0, LOG_CHARACTERS) + "…");
        } catch (BackendException e) {
            // What matters is that the build failed.
            return "; its log cannot be read: " + e.getMessage();
        }
    }
}
