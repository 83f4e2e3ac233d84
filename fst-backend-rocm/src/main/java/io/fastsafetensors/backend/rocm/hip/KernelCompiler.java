package io.fastsafetensors.backend.rocm.hip;

import io.fastsafetensors.backend.rocm.hip.ffm.Hiprtc;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.gpu.kernel.KernelSource;
import java.util.regex.Pattern;

/// hiprtc over the shared source, and the one place where a status of hiprtc becomes an exception. Thread-safe.
///
/// @param hiprtc the functions
record KernelCompiler(Hiprtc hiprtc) {
    /// How much of the compiler's log a message carries.
    private static final int LOG_LENGTH = 2000;
    /// A target with features, such as `gfx90a:sramecc+:xnack-`. hiprtc of ROCm 5.2 crashes when it is given others.
    private static final Pattern ARCH = Pattern.compile("[a-z]+_?[0-9a-f]+(:[a-z]+[+-])*");

    /// Compiles the shared source.
    ///
    /// @param arch the device's architecture as HIP names it
    /// @return a code object for `hipModuleLoadData`
    /// @throws BackendException with the compiler's log
    byte[] compile(String arch) {
        if (!ARCH.matcher(arch).matches()) {
            throw new BackendException("HIP names no architecture to compile the kernels for, but \"" + arch
                    + "\"; name a code object in the backend property " + HipOptions.CODE_OBJECT,
                    Where.backend(HipRuntime.BACKEND));
        }
        long[] program = new long[1];
        check("hiprtcCreateProgram", hiprtc.hiprtcCreateProgram(program, KernelSource.text(), "fst_kernels.hip"), "");
        byte[] code;
        try {
            int status = hiprtc.hiprtcCompileProgram(program[0], "--offload-arch=" + arch, "-O3");
            if (status != Hiprtc.SUCCESS) {
                check("hiprtcCompileProgram", status, " for " + arch + ": " + log(program[0]));
            }
            long[] size = new long[1];
            check("hiprtcGetCodeSize", hiprtc.hiprtcGetCodeSize(program[0], size), "");
            code = new byte[Math.toIntExact(size[0])];
            check("hiprtcGetCode", hiprtc.hiprtcGetCode(program[0], code), "");
        } catch (BackendException e) {
            hiprtc.hiprtcDestroyProgram(program[0]);
            throw e;
        }
        check("hiprtcDestroyProgram", hiprtc.hiprtcDestroyProgram(program[0]), "");
        return code;
    }

    private String log(long program) {
        long[] size = new long[1];
        String[] text = {""};
        if (hiprtc.hiprtcGetProgramLogSize(program, size) != Hiprtc.SUCCESS
                || hiprtc.hiprtcGetProgramLog(program, text, size[0]) != Hiprtc.SUCCESS) {
            return "no log";
        }
        String log = text[0].strip();
        return log.length() > LOG_LENGTH ? log.substring(0, LOG_LENGTH) + "…" : log;
    }

    private void check(String call, int status, String detail) {
        if (status != Hiprtc.SUCCESS) {
            throw BackendException.ofStatus(HipRuntime.BACKEND, hiprtc.library(), call, status,
                    hiprtc.hiprtcGetErrorString(status) + detail);
        }
    }
}
