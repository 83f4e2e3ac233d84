package io.fastsafetensors.backend.rocm.hip.ffm;

/// hiprtc's functions under their own names, with the statuses of `hiprtcResult`: the compiler that comes with the HIP
/// runtime. What C writes through a pointer is written to element 0 of an array. Safe for use by many threads, each
/// with its own programs. Numbers are those of hiprtc.h.
public interface Hiprtc {
    /// `HIPRTC_SUCCESS`.
    int SUCCESS = 0;

    /// The name under which the library was found.
    String library();

    /// `hiprtcGetErrorString`.
    String hiprtcGetErrorString(int status);

    /// `hiprtcCreateProgram`, without headers.
    int hiprtcCreateProgram(long[] program, String source, String name);

    /// `hiprtcDestroyProgram`.
    int hiprtcDestroyProgram(long program);

    /// `hiprtcCompileProgram`.
    int hiprtcCompileProgram(long program, String... options);

    /// `hiprtcGetProgramLogSize`, the zero at the end included.
    int hiprtcGetProgramLogSize(long program, long[] bytes);

    /// `hiprtcGetProgramLog`.
    ///
    /// @param bytes what `hiprtcGetProgramLogSize` said
    int hiprtcGetProgramLog(long program, String[] log, long bytes);

    /// `hiprtcGetCodeSize`.
    int hiprtcGetCodeSize(long program, long[] bytes);

    /// `hiprtcGetCode`.
    ///
    /// @param code as long as `hiprtcGetCodeSize` said
    int hiprtcGetCode(long program, byte[] code);
}
