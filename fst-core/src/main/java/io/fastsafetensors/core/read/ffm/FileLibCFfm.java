package io.fastsafetensors.core.read.ffm;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.fastsafetensors.spi.ffm.Errno;
import io.fastsafetensors.spi.ffm.NativeLibrary;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;

/// [FileLibC] on this process's C library; 64-bit Linux only.
public final class FileLibCFfm implements FileLibC {
    private static final NativeLibrary LIBC = NativeLibrary.standard();
    private static final int O_DIRECT_X86 = 0x4000;
    private static final int O_DIRECT_ARM = 0x10000;
    private static final long SYS_CACHESTAT = 451;
    private static final int STATFS_BYTES = 256;

    // int open(const char *pathname, int flags, ...)
    private static final MethodHandle OPEN = LIBC.bind("open", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT),
            Errno.option(), Linker.Option.firstVariadicArg(2));
    // int close(int fd)
    private static final MethodHandle CLOSE = LIBC.bind("close", FunctionDescriptor.of(JAVA_INT, JAVA_INT),
            Errno.option());
    // off_t lseek(int fd, off_t offset, int whence)
    private static final MethodHandle LSEEK = LIBC.bind("lseek",
            FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT), Errno.option());
    // ssize_t pread(int fd, void *buf, size_t count, off_t offset)
    private static final MethodHandle PREAD = LIBC.bind("pread",
            FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG), Errno.option());
    // ssize_t preadv2(int fd, const struct iovec *iov, int iovcnt, off_t offset, int flags); iovec = {void *, size_t}
    private static final MethodHandle PREADV2 = LIBC.bind("preadv2",
            FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_INT, JAVA_LONG, JAVA_INT), Errno.option());
    // int fstatfs(int fd, struct statfs *buf); f_type is its first member
    private static final MethodHandle FSTATFS = LIBC.bind("fstatfs",
            FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS), Errno.option());
    // long syscall(long number, ...); cachestat(unsigned int fd, struct cachestat_range *cstat_range,
    // struct cachestat *cstat, unsigned int flags): range = {u64 off, len}, stat = {u64 nr_cache, ...}
    private static final MethodHandle CACHESTAT = LIBC.bind("syscall",
            FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_INT, ADDRESS, ADDRESS, JAVA_INT), Errno.option(),
            Linker.Option.firstVariadicArg(1));
    private static final ThreadLocal<MemorySegment> STRUCTS = ThreadLocal
            .withInitial(() -> Arena.ofAuto().allocate(16 + 40, 8));

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
            return (int) OPEN.invokeExact(Errno.capture(), arena.allocateFrom(path.toString()), flags);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    @Override
    public int close(int fd) {
        try {
            return (int) CLOSE.invokeExact(Errno.capture(), fd);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    @Override
    public long lseek(int fd, long offset, int whence) {
        try {
            return (long) LSEEK.invokeExact(Errno.capture(), fd, offset, whence);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    @Override
    public long pread(int fd, long buffer, long count, long offset) {
        try {
            return (long) PREAD.invokeExact(Errno.capture(), fd, buffer, count, offset);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    @Override
    public long preadv2(int fd, long buffer, long count, long offset, int flags) {
        try {
            MemorySegment iovec = STRUCTS.get();
            iovec.set(JAVA_LONG, 0, buffer);
            iovec.set(JAVA_LONG, 8, count);
            return (long) PREADV2.invokeExact(Errno.capture(), fd, iovec, 1, offset, flags);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    @Override
    public long fstatfs_type(int fd) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment buffer = arena.allocate(STATFS_BYTES, 8);
            int status = (int) FSTATFS.invokeExact(Errno.capture(), fd, buffer);
            return status < 0 ? -1 : buffer.get(JAVA_LONG, 0);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    @Override
    public long cachestat_cached(int fd, long offset, long length) {
        try {
            MemorySegment args = STRUCTS.get();
            args.set(JAVA_LONG, 0, offset);
            args.set(JAVA_LONG, 8, length);
            long status = (long) CACHESTAT.invokeExact(Errno.capture(), SYS_CACHESTAT, fd, args, args.asSlice(16), 0);
            return status < 0 ? -1 : args.get(JAVA_LONG, 16);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    @Override
    public int errno() {
        return Errno.last();
    }
}
