package io.fastsafetensors.core.linux.ffm;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import io.fastsafetensors.core.linux.ffm.LibC.Statx;
import io.fastsafetensors.spi.ffm.Errno;
import io.fastsafetensors.spi.ffm.NativeLibrary;
import io.fastsafetensors.spi.ffm.RawMemory;
import io.fastsafetensors.spi.ffm.WordFunction;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/// [LibC] on this process's C library; 64-bit Linux only.
///
/// Everything is passed in words: addresses are numbers, and the caller of each keeps its memory alive for the call.
/// Structs go through 256 bytes of the calling thread, so that no call on the data path allocates.
final class LibCFfm implements LibC {
    private static final NativeLibrary LIBC = NativeLibrary.standard();
    private static final int O_DIRECT_X86 = 0x4000;
    private static final int O_DIRECT_ARM = 0x10000;
    private static final long SYS_CACHESTAT = 451;
    private static final long SYS_STATX_X86 = 332;
    private static final long SYS_STATX_GENERIC = 291;
    private static final int STATX_TYPE_MTIME_INO_SIZE = 0x1 | 0x40 | 0x100 | 0x200;
    private static final int SC_PAGESIZE = 30;
    private static final int PROT_READ = 1;
    private static final int MAP_SHARED = 1;
    private static final long MAP_FAILED = -1;
    private static final int STRUCT_BYTES = 256;
    private static final long THIS_THREAD = 0;
    /// statx(2) of a descriptor takes a path nevertheless.
    private static final MemorySegment EMPTY_PATH = Arena.ofAuto().allocate(1);

    // int open(const char *pathname, int flags, ...)
    private static final WordFunction OPEN = LIBC.words("open");
    // int close(int fd)
    private static final WordFunction CLOSE = LIBC.words("close");
    // ssize_t pread(int fd, void *buf, size_t count, off_t offset)
    private static final WordFunction PREAD = LIBC.words("pread");
    // ssize_t preadv2(int fd, const struct iovec *iov, int iovcnt, off_t offset, int flags); iovec = {void *, size_t}
    private static final WordFunction PREADV2 = LIBC.words("preadv2");
    // int fstatfs(int fd, struct statfs *buf); f_type is its first member
    private static final WordFunction FSTATFS = LIBC.words("fstatfs");
    // long syscall(long number, ...); cachestat(unsigned int fd, struct cachestat_range *cstat_range,
    // struct cachestat *cstat, unsigned int flags): range = {u64 off, len}, stat = {u64 nr_cache, ...};
    // statx(int dirfd, const char *pathname, int flags, unsigned int mask, struct statx *statxbuf), which C libraries got
    // later than kernels: its layout is the same everywhere
    private static final WordFunction SYSCALL = LIBC.words("syscall");
    // long sysconf(int name)
    private static final WordFunction SYSCONF = LIBC.words("sysconf");
    // int fsync(int fd)
    private static final WordFunction FSYNC = LIBC.words("fsync");
    // int posix_fadvise(int fd, off_t offset, off_t len, int advice); the error is what it returns
    private static final WordFunction FADVISE = LIBC.words("posix_fadvise");
    // int fallocate(int fd, int mode, off_t offset, off_t len)
    private static final WordFunction FALLOCATE = LIBC.words("fallocate");
    // void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
    private static final WordFunction MMAP = LIBC.words("mmap");
    // int munmap(void *addr, size_t length)
    private static final WordFunction MUNMAP = LIBC.words("munmap");
    // int madvise(void *addr, size_t length, int advice)
    private static final WordFunction MADVISE = LIBC.words("madvise");
    // int sched_setaffinity(pid_t pid, size_t cpusetsize, const cpu_set_t *mask)
    private static final WordFunction SCHED_SETAFFINITY = LIBC.words("sched_setaffinity");
    /// Room for the largest struct of these calls, statx's 256 bytes.
    private static final ThreadLocal<MemorySegment> STRUCTS = ThreadLocal
            .withInitial(() -> Arena.ofAuto().allocate(STRUCT_BYTES, 8));

    /// Binds on first use; the class's initialiser fails where a function or native access is missing.
    LibCFfm() {
    }

    @Override
    public int o_direct() {
        return System.getProperty("os.arch").equals("aarch64") ? O_DIRECT_ARM : O_DIRECT_X86;
    }

    @Override
    public int open(byte[] path, int flags) {
        try (Arena arena = Arena.ofConfined()) {
            return (int) OPEN.call(text(path, arena).address(), flags);
        }
    }

    /// With the NUL that C wants at its end.
    private static MemorySegment text(byte[] bytes, Arena arena) {
        MemorySegment text = arena.allocate(bytes.length + 1L);
        MemorySegment.copy(bytes, 0, text, JAVA_BYTE, 0, bytes.length);
        return text;
    }

    @Override
    public int statx(int dirfd, byte[] path, int flags, Statx into) {
        if (path.length == 0) {
            return statx(dirfd, EMPTY_PATH, flags, into);
        }
        try (Arena arena = Arena.ofConfined()) {
            return statx(dirfd, text(path, arena), flags, into);
        }
    }

    /// By its number, see [#SYSCALL]; offsets are those of `struct statx`, the same on every architecture.
    private static int statx(int dirfd, MemorySegment path, int flags, Statx into) {
        MemorySegment buffer = STRUCTS.get();
        long number = System.getProperty("os.arch").equals("amd64") ? SYS_STATX_X86 : SYS_STATX_GENERIC;
        if ((int) SYSCALL.call(number, dirfd, path.address(), flags, STATX_TYPE_MTIME_INO_SIZE, buffer.address()) < 0) {
            return -1;
        }
        long device = ((long) buffer.get(JAVA_INT, 136) << 32) | (buffer.get(JAVA_INT, 140) & 0xFFFF_FFFFL);
        into.set(buffer.get(JAVA_SHORT, 28), device, buffer.get(JAVA_LONG, 32), buffer.get(JAVA_LONG, 40),
                buffer.get(JAVA_LONG, 112), buffer.get(JAVA_INT, 120));
        return 0;
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
    public int fsync(int fd) {
        return (int) FSYNC.call(fd);
    }

    @Override
    public int posix_fadvise(int fd, long offset, long length, int advice) {
        return (int) FADVISE.call(fd, offset, length, advice);
    }

    @Override
    public int fallocate(int fd, int mode, long offset, long length) {
        return (int) FALLOCATE.call(fd, mode, offset, length);
    }

    @Override
    public long page_size() {
        return SYSCONF.call(SC_PAGESIZE);
    }

    @Override
    public @Nullable MemorySegment mmap(int fd, long offset, long length, Arena arena) {
        long address = MMAP.call(0, length, PROT_READ, MAP_SHARED, fd, offset);
        return address == MAP_FAILED ? null
                : RawMemory.view(address, length, arena, () -> MUNMAP.call(address, length)).asReadOnly();
    }

    @Override
    public int madvise(long address, long length, int advice) {
        return (int) MADVISE.call(address, length, advice);
    }

    @Override
    public int sched_setaffinity(long... mask) {
        try (Arena arena = Arena.ofConfined()) {
            return (int) SCHED_SETAFFINITY.call(THIS_THREAD, mask.length * JAVA_LONG.byteSize(),
                    arena.allocateFrom(JAVA_LONG, mask).address());
        }
    }

    @Override
    public int errno() {
        return Errno.last();
    }
}
