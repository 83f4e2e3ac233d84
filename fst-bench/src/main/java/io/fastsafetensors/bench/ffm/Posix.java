package io.fastsafetensors.bench.ffm;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.fastsafetensors.spi.ffm.NativeLibrary;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;

/// Memory and file calls under their own names. Status −1 is an error the caller turns into an exception.
public final class Posix {
    /// Back the range with huge pages.
    public static final int MADV_HUGEPAGE = 14;
    /// Touch every page for writing.
    public static final int MADV_POPULATE_WRITE = 23;
    /// Read nothing ahead.
    public static final int POSIX_FADV_RANDOM = 1;
    /// Forget the file's pages.
    public static final int POSIX_FADV_DONTNEED = 4;

    // <fcntl.h>: the flag's value belongs to the architecture.
    private static final int O_DIRECT = System.getProperty("os.arch").equals("aarch64") ? 0x10000 : 0x4000;

    private static final NativeLibrary LIBC = NativeLibrary.standard();
    // void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
    private static final MethodHandle MMAP = LIBC.bind("mmap",
            FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG));
    // int munmap(void *addr, size_t length)
    private static final MethodHandle MUNMAP = LIBC.bind("munmap",
            FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG));
    // int madvise(void *addr, size_t length, int advice)
    private static final MethodHandle MADVISE = LIBC.bind("madvise",
            FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT));
    // int open(const char *pathname, int flags, ...)
    private static final MethodHandle OPEN = LIBC.bind("open", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT),
            Linker.Option.firstVariadicArg(2));
    // int close(int fd)
    private static final MethodHandle CLOSE = LIBC.bind("close", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
    // ssize_t pread(int fd, void *buf, size_t count, off_t offset)
    private static final MethodHandle PREAD = LIBC.bind("pread",
            FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    // int posix_fadvise(int fd, off_t offset, off_t len, int advice)
    private static final MethodHandle FADVISE = LIBC.bind("posix_fadvise",
            FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT));
    // void *memcpy(void *dest, const void *src, size_t n)
    private static final MethodHandle MEMCPY = LIBC.bind("memcpy",
            FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG));

    private Posix() {
    }

    /// Anonymous private memory.
    public static long mmapAnonymous(long length) {
        try {
            return (long) MMAP.invokeExact(0L, length, 3, 0x22, -1, 0L);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /// munmap(2).
    public static int munmap(long address, long length) {
        try {
            return (int) MUNMAP.invokeExact(address, length);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /// madvise(2).
    public static int madvise(long address, long length, int advice) {
        try {
            return (int) MADVISE.invokeExact(address, length, advice);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /// open(2) for reading.
    public static int open(Path path) {
        return open(path, 0);
    }

    /// open(2) for reading past the page cache.
    public static int openDirect(Path path) {
        return open(path, O_DIRECT);
    }

    private static int open(Path path, int flags) {
        try (Arena arena = Arena.ofConfined()) {
            return (int) OPEN.invokeExact(arena.allocateFrom(path.toString()), flags);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /// close(2).
    public static int close(int fd) {
        try {
            return (int) CLOSE.invokeExact(fd);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /// pread(2).
    public static long pread(int fd, long buffer, long count, long offset) {
        try {
            return (long) PREAD.invokeExact(fd, buffer, count, offset);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /// posix_fadvise(2) over a whole file.
    public static int fadvise(int fd, int advice) {
        try {
            return (int) FADVISE.invokeExact(fd, 0L, 0L, advice);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /// memcpy(3).
    public static void memcpy(long target, long source, long count) {
        try {
            long ignored = (long) MEMCPY.invokeExact(target, source, count);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }
}
