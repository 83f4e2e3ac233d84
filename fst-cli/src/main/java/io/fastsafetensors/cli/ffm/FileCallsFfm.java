package io.fastsafetensors.cli.ffm;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.fastsafetensors.spi.ffm.NativeLibrary;
import io.fastsafetensors.spi.ffm.WordFunction;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// [FileCalls] on this process's C library; 64-bit Linux only.
final class FileCallsFfm implements FileCalls {
    private static final NativeLibrary LIBC = NativeLibrary.standard();
    private static final int O_DIRECT_X86 = 0x4000;
    private static final int O_DIRECT_ARM = 0x10000;
    private static final long SYS_CACHESTAT = 451;
    private static final int CACHESTAT_WORDS = 7;
    private static final int SC_PAGESIZE = 30;

    // int open(const char *pathname, int flags, ...)
    private static final WordFunction OPEN = LIBC.words("open");
    // int close(int fd)
    private static final WordFunction CLOSE = LIBC.words("close");
    // ssize_t pread(int fd, void *buf, size_t count, off_t offset)
    private static final WordFunction PREAD = LIBC.words("pread");
    // int fsync(int fd)
    private static final WordFunction FSYNC = LIBC.words("fsync");
    // int posix_fadvise(int fd, off_t offset, off_t len, int advice); the error is what it returns
    private static final WordFunction FADVISE = LIBC.words("posix_fadvise");
    // long syscall(long number, ...); cachestat(unsigned int fd, struct cachestat_range *cstat_range,
    // struct cachestat *cstat, unsigned int flags): range = {u64 off, len}, stat = {u64 nr_cache, ...}, five words
    private static final WordFunction SYSCALL = LIBC.words("syscall");
    // void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
    private static final WordFunction MMAP = LIBC.words("mmap");
    // int munmap(void *addr, size_t length)
    private static final WordFunction MUNMAP = LIBC.words("munmap");
    // int madvise(void *addr, size_t length, int advice)
    private static final WordFunction MADVISE = LIBC.words("madvise");
    // int mincore(void *addr, size_t length, unsigned char *vec)
    private static final WordFunction MINCORE = LIBC.words("mincore");
    // long sysconf(int name)
    private static final WordFunction SYSCONF = LIBC.words("sysconf");

    /// Binds on first use; the class's initialiser fails where a function or native access is missing.
    FileCallsFfm() {
    }

    @Override
    public int o_direct() {
        return System.getProperty("os.arch").equals("aarch64") ? O_DIRECT_ARM : O_DIRECT_X86;
    }

    @Override
    public int open(byte[] path, int flags) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment text = arena.allocate(path.length + 1L);
            MemorySegment.copy(path, 0, text, ValueLayout.JAVA_BYTE, 0, path.length);
            return (int) OPEN.call(text.address(), flags);
        }
    }

    @Override
    public int close(int fd) {
        return (int) CLOSE.call(fd);
    }

    @Override
    public long pread(int fd, long buffer, long count, long offset) {
        return PREAD.call(fd, buffer, count, offset);
    }

    @Override
    public int fsync(int fd) {
        return (int) FSYNC.call(fd);
    }

    @Override
    public int posix_fadvise(int fd, long offset, long length, int advice) {
        return (int) FADVISE.call(fd, offset, length, advice);
    }

    @Override
    public long cachestat_cached(int fd, long offset, long length) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment range = arena.allocate(JAVA_LONG, CACHESTAT_WORDS);
            range.setAtIndex(JAVA_LONG, 0, offset);
            range.setAtIndex(JAVA_LONG, 1, length);
            long stat = range.address() + 2 * JAVA_LONG.byteSize();
            return SYSCALL.call(SYS_CACHESTAT, fd, range.address(), stat, 0) < 0 ? -1 : range.getAtIndex(JAVA_LONG, 2);
        }
    }

    @Override
    public long mmap(long length, int protection, int flags, int fd, long offset) {
        return MMAP.call(0, length, protection, flags, fd, offset);
    }

    @Override
    public int munmap(long address, long length) {
        return (int) MUNMAP.call(address, length);
    }

    @Override
    public int madvise(long address, long length, int advice) {
        return (int) MADVISE.call(address, length, advice);
    }

    @Override
    public int mincore(long address, long length, long vector) {
        return (int) MINCORE.call(address, length, vector);
    }

    @Override
    public long page_size() {
        return SYSCONF.call(SC_PAGESIZE);
    }
}
