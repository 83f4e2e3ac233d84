package io.fastsafetensors.cli.ffm;

import java.lang.System.Logger.Level;
import java.util.Optional;

/// The C library's calls that `fst bench` needs, under their own names. −1 means that a call failed. Safe for use by many
/// threads.
///
/// Addresses and sizes are in bytes; none of these calls keeps an address.
public interface FileCalls {
    /// open(2) for reading.
    int O_RDONLY = 0;
    /// Close on exec.
    int O_CLOEXEC = 0x80000;
    /// mmap(2): the pages may be read.
    int PROT_READ = 1;
    /// mmap(2): the pages may be written.
    int PROT_WRITE = 2;
    /// mmap(2): the file's own pages.
    int MAP_SHARED = 1;
    /// mmap(2): pages of this process.
    int MAP_PRIVATE = 2;
    /// mmap(2): of no file.
    int MAP_ANONYMOUS = 0x20;
    /// madvise(2): huge pages, where the system has them.
    int MADV_HUGEPAGE = 14;
    /// posix_fadvise(2): the pages are not wanted any more.
    int POSIX_FADV_DONTNEED = 4;

    /// `O_DIRECT` has another value on ARM than on x86.
    int o_direct();

    /// open(2).
    ///
    /// @param path as the kernel knows it, without a NUL
    /// @return the descriptor, which the caller closes
    int open(byte[] path, int flags);

    /// close(2).
    int close(int fd);

    /// pread(2).
    ///
    /// @param buffer the address; with a descriptor of O_DIRECT it, the count and the offset are multiples of the device's
    ///        block
    /// @return how many bytes, fewer than asked for at the end of the file
    long pread(int fd, long buffer, long count, long offset);

    /// fsync(2): dirty pages cannot be evicted.
    int fsync(int fd);

    /// posix_fadvise(2).
    ///
    /// @return 0, or the errno
    int posix_fadvise(int fd, long offset, long length, int advice);

    /// cachestat(2), Linux 6.5: how many of the system's pages of the range are in the page cache.
    long cachestat_cached(int fd, long offset, long length);

    /// mmap(2) at an address of the system's choice.
    ///
    /// @return the address, which the caller unmaps
    long mmap(long length, int protection, int flags, int fd, long offset);

    /// munmap(2).
    int munmap(long address, long length);

    /// madvise(2).
    int madvise(long address, long length, int advice);

    /// mincore(2).
    ///
    /// @param vector the address of one byte for each page, whose lowest bit says whether the page is resident
    int mincore(long address, long length, long vector);

    /// sysconf(3) of `_SC_PAGESIZE`: the bytes of the system's pages.
    long page_size();

    /// The calls of this process; empty on other systems than Linux, and where native access is denied.
    static Optional<FileCalls> ofProcess() {
        if (!System.getProperty("os.name").equals("Linux")) {
            return Optional.empty();
        }
        try {
            return Optional.of(new FileCallsFfm());
        } catch (IllegalCallerException | LinkageError e) {
            System.getLogger("io.fastsafetensors.cli").log(Level.DEBUG, "no native calls", e);
            return Optional.empty();
        }
    }
}
