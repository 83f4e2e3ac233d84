package io.fastsafetensors.cli;

import io.fastsafetensors.cli.ffm.FileCalls;

/// [FileCalls] of this process on which some calls refuse, or find the page cache as told.
final class FakeFileCalls implements FileCalls {
    private final FileCalls real = FileCalls.ofProcess().orElseThrow();
    /// Whether the kernel has no cachestat(2).
    boolean withoutCachestat;
    /// Whether mincore(2) is refused.
    boolean withoutMincore;
    /// Whether O_DIRECT is refused.
    boolean withoutDirect;
    /// Whether everything stays in the page cache.
    boolean stuck;
    /// Files that were opened and not closed.
    int open;
    /// Mappings that were made and not unmapped.
    int mappings;

    @Override
    public int o_direct() {
        return real.o_direct();
    }

    @Override
    public synchronized int open(byte[] path, int flags) {
        if (withoutDirect && (flags & o_direct()) != 0) {
            return -1;
        }
        int fd = real.open(path, flags);
        open += fd < 0 ? 0 : 1;
        return fd;
    }

    @Override
    public synchronized int close(int fd) {
        open--;
        return real.close(fd);
    }

    @Override
    public long pread(int fd, long buffer, long count, long offset) {
        return real.pread(fd, buffer, count, offset);
    }

    @Override
    public int fsync(int fd) {
        return real.fsync(fd);
    }

    @Override
    public int posix_fadvise(int fd, long offset, long length, int advice) {
        return stuck ? 0 : real.posix_fadvise(fd, offset, length, advice);
    }

    @Override
    public long cachestat_cached(int fd, long offset, long length) {
        return withoutCachestat ? -1 : stuck ? length / page_size() + 1 : real.cachestat_cached(fd, offset, length);
    }

    @Override
    public synchronized long mmap(long length, int protection, int flags, int fd, long offset) {
        mappings++;
        return real.mmap(length, protection, flags, fd, offset);
    }

    @Override
    public synchronized int munmap(long address, long length) {
        mappings--;
        return real.munmap(address, length);
    }

    @Override
    public int madvise(long address, long length, int advice) {
        return real.madvise(address, length, advice);
    }

    @Override
    public int mincore(long address, long length, long vector) {
        return withoutMincore ? -1 : real.mincore(address, length, vector);
    }

    @Override
    public long page_size() {
        return real.page_size();
    }
}
