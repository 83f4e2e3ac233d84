package io.fastsafetensors.backend.cuda.gds.ffm;

import java.nio.file.Path;

/// The C library's calls for file descriptors under their own names. −1 means that the call failed and [#errno()] says
/// why. Safe for use by many threads.
public interface DescriptorLibC {
    /// open(2) for reading.
    int O_RDONLY = 0;
    /// Close on exec.
    int O_CLOEXEC = 0x80000;

    /// `O_DIRECT` has another value on ARM than on x86.
    int o_direct();

    /// open(2).
    int open(Path path, int flags);

    /// close(2).
    int close(int fd);

    /// This thread's errno after a call that returned −1.
    int errno();

    /// strerror(3): an errno in words.
    String strerror(int errno);
}
