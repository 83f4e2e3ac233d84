package io.fastsafetensors.testkit.gpu;

/// The driver library that the fake GPU looks like.
public enum Face {
    /// The CUDA driver, `libcuda.so.1`.
    CUDA("libcuda.so.1", "fake_cuda.c");

    private final String libraryName;
    private final String source;

    Face(String libraryName, String source) {
        this.libraryName = libraryName;
        this.source = source;
    }

    /// The file's name and the library's soname, by which programs look for it.
    public String libraryName() {
        return libraryName;
    }

    /// The face's own source file.
    String source() {
        return source;
    }
}
