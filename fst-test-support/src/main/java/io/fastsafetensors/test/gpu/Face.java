package io.fastsafetensors.test.gpu;

/// The driver library that the fake GPU looks like.
public enum Face {
    /// The CUDA driver, `libcuda.so.1`.
    CUDA("libcuda.so.1", 0),
    /// The HIP runtime of ROCm 5, `libamdhip64.so.5`: hiprtc is in the same library.
    HIP_5("libamdhip64.so.5", 5),
    /// The HIP runtime of ROCm 6, `libamdhip64.so.6`, with `libhiprtc.so.6` next to it.
    HIP_6("libamdhip64.so.6", 6),
    /// The HIP runtime of ROCm 7, `libamdhip64.so.7`, with `libhiprtc.so.7` next to it.
    HIP_7("libamdhip64.so.7", 7),
    /// No fake: HIP's functions over this machine's CUDA driver, to run a HIP backend on an NVIDIA GPU. hiprtc is in the
    /// same library, and takes the PTX file that the environment variable `FST_HIP_PTX` names for its result.
    HIP_OVER_CUDA("libamdhip64.so.7", 7);

    /// Since which version HIP keeps hiprtc in a library of its own.
    private static final int HIPRTC_APART = 6;

    private final String libraryName;
    private final int hipMajor;

    Face(String libraryName, int hipMajor) {
        this.libraryName = libraryName;
        this.hipMajor = hipMajor;
    }

    /// The file's name and the library's soname, by which programs look for it.
    public String libraryName() {
        return libraryName;
    }

    /// Whether a GPU of memory and threads is behind it, with the switches of [FakeGpu].
    public boolean isFake() {
        return this != HIP_OVER_CUDA;
    }

    /// HIP's major version, 0 for CUDA.
    int hipMajor() {
        return hipMajor;
    }

    /// The library for collectives next to it.
    String collectivesName() {
        return this == CUDA ? "libnccl.so.2" : "librccl.so.1";
    }

    /// Whether `libhiprtc.so` is a second library.
    boolean hasCompanion() {
        return isFake() && hipMajor >= HIPRTC_APART;
    }

    /// The second library's name.
    String companionName() {
        return "libhiprtc.so." + hipMajor;
    }
}
