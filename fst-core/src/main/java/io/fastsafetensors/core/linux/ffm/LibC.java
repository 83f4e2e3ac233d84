package io.fastsafetensors.core.linux.ffm;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/// The C library's calls under their own names. −1 means that the call failed and [#errno()] says why. Safe for use by
/// many threads.
///
/// Calls return what the C functions return; the errno of a failed call is the calling thread's until its next call.
/// Addresses and sizes are in bytes; none of these calls keeps an address.
public interface LibC {
    /// open(2) for reading.
    int O_RDONLY = 0;
    /// open(2) for writing.
    int O_WRONLY = 1;
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
    /// @return the descriptor, which the caller closes; −1 if it failed
    int open(byte[] path, int flags);

    /// close(2).
    ///
    /// The descriptor is gone even where this fails: it is not closed again.
    int close(int fd);

    /// statx(2) of type, inode, size and time of change.
    ///
    /// @param path as the kernel knows it, without a NUL
    int statx(int dirfd, byte[] path, int flags, Statx into);

    /// pread(2).
    ///
    /// @param buffer the address; with a descriptor of O_DIRECT it, the count and the offset are multiples of the
    ///        device's block
    /// @return how many bytes, fewer than asked for at the file's end or where the kernel's limit of 2 GiB is
    ///        reached; −1 if it failed
    long pread(int fd, long buffer, long count, long offset);

    /// preadv2(2) of one buffer.
    ///
    /// @return how many bytes; −1 with EAGAIN where `RWF_NOWAIT` finds nothing, and with EOPNOTSUPP where the file
    ///        system does not know it
    long preadv2(int fd, long buffer, long count, long offset, int flags);

    /// fstatfs(2): the file system's magic number, −1 if it failed.
    long fstatfs_type(int fd);

    /// cachestat(2), Linux 6.5: how many of the system's pages of the range are in the page cache, −1 if it failed.
    long cachestat_cached(int fd, long offset, long length);

    /// posix_fadvise(2): the pages are not wanted any more.
    int POSIX_FADV_DONTNEED = 4;

    /// fsync(2).
    ///
    /// Waits for the drive.
    int fsync(int fd);

    /// posix_fadvise(2).
    ///
    /// @return 0, or the errno
    int posix_fadvise(int fd, long offset, long length, int advice);

    /// fallocate(2): unlike posix_fallocate(3) it fails where it would have to write zeros.
    ///
    /// @return 0; −1 with ENOSPC if there is no room, with EOPNOTSUPP if the file system cannot
    int fallocate(int fd, int mode, long offset, long length);

    /// sysconf(3) of `_SC_PAGESIZE`: the bytes of the system's pages.
    long page_size();

    /// mmap(2) for reading, shared with the page cache; munmap(2) when the arena is closed.
    ///
    /// @param offset a multiple of the page size
    /// @param arena shared, since readers of any thread touch it
    /// @return the mapping, null if the call failed
    @Nullable
    MemorySegment mmap(int fd, long offset, long length, Arena arena);

    /// madvise(2), Linux 5.14: map the pages now, for reading.
    int MADV_POPULATE_READ = 22;

    /// madvise(2): use huge pages for the range, and read so much at a time where a file is behind it.
    int MADV_HUGEPAGE = 14;

    /// madvise(2), Linux 6.1: put the range onto huge pages now, whatever it is on.
    int MADV_COLLAPSE = 25;

    /// madvise(2).
    ///
    /// @param address a multiple of the page size
    /// @return 0; −1 with EINVAL where the kernel does not know the advice, with EFAULT where the file has no such
    ///        pages any more
    int madvise(long address, long length, int advice);

    /// sched_setaffinity(2) of the calling thread.
    ///
    /// @param mask one bit per processor, 64 per word
    int sched_setaffinity(long... mask);

    /// This thread's errno after a call that returned −1.
    ///
    /// Kept apart from the C library's own, which the JVM's calls in between would overwrite.
    int errno();

    /// The result of statx(2); filled again by each call. For one thread.
    final class Statx {
        private static final int S_IFMT = 0xF000;
        private static final int S_IFREG = 0x8000;
        private static final int S_IFDIR = 0x4000;

        private int mode;
        private long device;
        private long inode;
        private long size;
        private long seconds;
        private int nanos;

        /// Says nothing yet.
        public Statx() {
        }

        /// Fills it in.
        ///
        /// @param mode `stx_mode`
        /// @param device major number << 32 | minor number
        /// @param inode `stx_ino`
        /// @param size `stx_size`, in bytes
        /// @param seconds `stx_mtime.tv_sec`
        /// @param nanos `stx_mtime.tv_nsec`
        public void set(int mode, long device, long inode, long size, long seconds, int nanos) {
            this.mode = mode;
            this.device = device;
            this.inode = inode;
            this.size = size;
            this.seconds = seconds;
            this.nanos = nanos;
        }

        /// Whether it is a regular file.
        public boolean isRegular() {
            return (mode & S_IFMT) == S_IFREG;
        }

        /// Whether it is a directory.
        public boolean isDirectory() {
            return (mode & S_IFMT) == S_IFDIR;
        }

        /// Major number << 32 | minor number.
        public long device() {
            return device;
        }

        /// The inode's number.
        public long inode() {
            return inode;
        }

        /// The length in bytes.
        public long size() {
            return size;
        }

        /// When the content was changed last, in seconds since 1970.
        public long seconds() {
            return seconds;
        }

        /// The nanoseconds of that.
        public int nanos() {
            return nanos;
        }
    }
}
