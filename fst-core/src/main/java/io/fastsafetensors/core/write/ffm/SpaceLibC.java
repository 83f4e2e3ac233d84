package io.fastsafetensors.core.write.ffm;

/// The C library's calls under their own names. −1 means that the call failed and [#errno()] says why. Safe for use by
/// many threads.
public interface SpaceLibC {
    /// open(2) for writing.
    int O_WRONLY = 1;
    /// Close on exec.
    int O_CLOEXEC = 0x80000;

    /// open(2).
    ///
    /// @param path as the kernel knows it, without a NUL
    int open(byte[] path, int flags);

    /// close(2).
    int close(int fd);

    /// fallocate(2), Linux: unlike posix_fallocate(3) it fails where it would have to write zeros.
    int fallocate(int fd, int mode, long offset, long length);

    /// This thread's errno after a call that returned −1.
    int errno();
}
