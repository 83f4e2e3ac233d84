package io.fastsafetensors.core.read.ffm;

import java.nio.file.Path;

/// The C library's file calls under their own names. −1 means that the call failed and [#errno()] says why. Safe for
/// use by many threads.
public interface FileLibC {
    /// open(2) for reading.
    int O_RDONLY = 0;
    /// Close on exec.
    int O_CLOEXEC = 0x80000;
    /// lseek(2) from the end.
    int SEEK_END = 2;

    /// preadv2(2): only what needs no waiting, which is what the page cache holds.
    int RWF_NOWAIT = 8;

    /// `O_DIRECT` has another value on ARM than on x86.
    int o_direct();

    /// open(2).
    int open(Path path, int flags);

    /// close(2).
    int close(int fd);

    /// lseek(2).
    long lseek(int fd, long offset, int whence);

    /// pread(2).
    long pread(int fd, long buffer, long count, long offset);

    /// preadv2(2) of one buffer.
    long preadv2(int fd, long buffer, long count, long offset, int flags);

    /// fstatfs(2): the file system's magic number, −1 if it failed.
    long fstatfs_type(int fd);

    /// cachestat(2), Linux 6.5: how many pages of the range are in the page cache, −1 if it failed.
    long cachestat_cached(int fd, long offset, long length);

    /// This thread's errno after a call that returned −1.
    int errno();
}
