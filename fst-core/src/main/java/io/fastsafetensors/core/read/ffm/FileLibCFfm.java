package io.fastsafetensors.core.read.ffm;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.fastsafetensors.spi.ffm.Errno;
import io.fastsafetensors.spi.ffm.NativeLibrary;
import io.fastsafetensors.spi.ffm.WordFunction;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/// [FileLibC] on this process's C library; 64-bit Linux only.
public final class FileLibCFfm implements FileLibC {
    private static final NativeLibrary LIBC = NativeLibrary.standard();
    private static final int O_DIRECT_X86 = 0x4000;
    private static final int O_DIRECT_ARM = 0x10000;
    private static final long SYS_CACHESTAT = 451;
    private static final int STRUCT_BYTES = 256;

    // int open(const char *pathname, int flags, ...)
    private static final WordFunction OPEN = LIBC.words("open");
    // int close(int fd)
    private static final WordFunction CLOSE = LIBC.words("close");
    // off_t lseek(int fd, off_t offset, int whence)
    private static final WordFunction LSEEK = LIBC.words("lseek");
    // ssize_t pread(int fd, void *buf, size_t count, off_t offset)
    private static final WordFunction PREAD = LIBC.words("pread");
    // ssize_t preadv2(int fd, const struct iovec *iov, int iovcnt, off_t offset, int flags); iovec = {void *, size_t}
    private static final WordFunction PREADV2 = LIBC.words("preadv2");
    // int fstatfs(int fd, struct statfs *buf); f_type is its first member
    private static final WordFunction FSTATFS = LIBC.words("fstatfs");
    // long syscall(long number, ...); cachestat(unsigned int fd, struct cachestat_range *cstat_range,
    // struct cachestat *cstat, unsigned int flags): range = {u64 off, len}, stat = {u64 nr_cache, ...}
    private static final WordFunction SYSCALL = LIBC.words("syscall");
    private static final ThreadLocal<MemorySegment> STRUCTS = ThreadLocal
            .withInitial(() -> Arena.ofAuto().allocate(STRUCT_BYTES, 8));

    /// Binds on first use; the class's initialiser fails where a function is missing.
    public FileLibCFfm() {
    }

    @Override
    public int o_direct() {
        return System.getProperty("os.arch").equals("aarch64") ? O_DIRECT_ARM : O_DIRECT_X86;
    }

    @Override
    public int open(Path path, int flags) {
        try (Arena arena = Arena.ofConfined()) {
            return (int) OPEN.call(arena.allocateFrom(path.toString()).address(), flags);
        }
    }

    @Override
    public int close(int fd) {
        return (int) CLOSE.call(fd);
    }

    @Override
    public long lseek(int fd, long offset, int whence) {
        return LSEEK.call(fd, offset, whence);
    }

    @Override
    public long pread(int fd, long buffer, long count, long offset) {
        return PREAD.call(fd, buffer, count, offset);
    }

    @Override
    public long preadv2(int fd, long buffer, long count, long offset, int flags) {
        MemorySegment iovec = STRUCTS.get();
        iovec.set(JAVA_LONG, 0, buffer);
        iovec.set(JAVA_LONG, 8, count);
        return PREADV2.call(fd, iovec.address(), 1, offset, flags);
    }

    @Override
    public long fstatfs_type(int fd) {
        MemorySegment statfs = STRUCTS.get();
        return (int) FSTATFS.call(fd, statfs.address()) < 0 ? -1 : statfs.get(JAVA_LONG, 0);
    }

    @Override
    public long cachestat_cached(int fd, long offset, long length) {
        MemorySegment range = STRUCTS.get();
        range.set(JAVA_LONG, 0, offset);
        range.set(JAVA_LONG, 8, length);
        long status = SYSCALL.call(SYS_CACHESTAT, fd, range.address(), range.address() + 16, 0);
        return status < 0 ? -1 : range.get(JAVA_LONG, 16);
    }

    @Override
    public int errno() {
        return Errno.last();
    }
}
