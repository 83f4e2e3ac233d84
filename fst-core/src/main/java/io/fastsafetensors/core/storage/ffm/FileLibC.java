package io.fastsafetensors.core.storage.ffm;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/// The C library's file calls under their own names. −1 means that the call failed and [#errno()] says why. Safe for
/// use by many threads.
public interface FileLibC {
    /// open(2) for reading.
    int O_RDONLY = 0;
    /// Close on exec.
    int O_CLOEXEC = 0x80000;
    /// Do not wait for a pipe's writer.
    int O_NONBLOCK = 0x800;

    /// statx(2) of a path that begins at the root.
    int AT_FDCWD = -100;
    /// statx(2) of an open file, its path empty.
    int AT_EMPTY_PATH = 0x1000;

    /// preadv2(2): only what needs no waiting, which is what the page cache holds.
    int RWF_NOWAIT = 8;

    /// `O_DIRECT` has another value on ARM than on x86.
    int o_direct();

    /// open(2).
    ///
    /// @param path as the kernel knows it, without a NUL
    int open(byte[] path, int flags);

    /// close(2).
    int close(int fd);

    /// statx(2) of type, inode, size and time of change.
    ///
    /// @param path as the kernel knows it, without a NUL
    int statx(int dirfd, byte[] path, int flags, Statx into);

    /// pread(2).
    long pread(int fd, long buffer, long count, long offset);

    /// preadv2(2) of one buffer.
    long preadv2(int fd, long buffer, long count, long offset, int flags);

    /// fstatfs(2): the file system's magic number, −1 if it failed.
    long fstatfs_type(int fd);

    /// cachestat(2), Linux 6.5: how many of the system's pages of the range are in the page cache, −1 if it failed.
    long cachestat_cached(int fd, long offset, long length);

    /// posix_fadvise(2): the pages are not wanted any more.
    int POSIX_FADV_DONTNEED = 4;

    /// fsync(2).
    int fsync(int fd);

    /// posix_fadvise(2).
    ///
    /// @return 0, or the errno
    int posix_fadvise(int fd, long offset, long length, int advice);

    /// sysconf(3) of `_SC_PAGESIZE`: the bytes of the system's pages.
    long page_size();

    /// mmap(2) for reading, shared with the page cache; munmap(2) when the arena is closed.
    ///
    /// @return the mapping, null if the call failed
    @Nullable
    MemorySegment mmap(int fd, long offset, long length, Arena arena);

    /// This thread's errno after a call that returned −1.
    int errno();
}
