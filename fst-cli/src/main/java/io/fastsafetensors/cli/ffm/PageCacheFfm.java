package io.fastsafetensors.cli.ffm;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.fastsafetensors.spi.ffm.Errno;
import io.fastsafetensors.spi.ffm.NativeLibrary;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;

/// [PageCache] on the C library of 64-bit Linux.
final class PageCacheFfm implements PageCache {
    private static final int O_RDONLY_CLOEXEC = 0x80000;
    private static final int POSIX_FADV_DONTNEED = 4;
    private static final NativeLibrary LIBC = NativeLibrary.standard();

    // int open(const char *pathname, int flags, ...)
    private static final MethodHandle OPEN = LIBC.bind("open", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT),
            Errno.option(), Linker.Option.firstVariadicArg(2));
    // int fsync(int fd)
    private static final MethodHandle FSYNC = LIBC.bind("fsync", FunctionDescriptor.of(JAVA_INT, JAVA_INT),
            Errno.option());
    // int posix_fadvise(int fd, off_t offset, off_t len, int advice); the error is what it returns
    private static final MethodHandle FADVISE = LIBC.bind("posix_fadvise",
            FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT));
    // int close(int fd)
    private static final MethodHandle CLOSE = LIBC.bind("close", FunctionDescriptor.of(JAVA_INT, JAVA_INT));

    @Override
    public void drop(Path file) throws IOException {
        int fd = open(file);
        try {
            // Pages that were not written back yet cannot be evicted.
            check(file, "fsync", fsync(fd));
            check(file, "posix_fadvise", fadvise(fd));
        } finally {
            close(fd);
        }
    }

    private static int open(Path file) throws IOException {
        int fd;
        try (Arena arena = Arena.ofConfined()) {
            fd = (int) OPEN.invokeExact(Errno.capture(), arena.allocateFrom(file.toString()), O_RDONLY_CLOEXEC);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
        check(file, "open", fd < 0 ? Errno.last() : 0);
        return fd;
    }

    private static int fsync(int fd) {
        try {
            int status = (int) FSYNC.invokeExact(Errno.capture(), fd);
            return status < 0 ? Errno.last() : 0;
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    private static int fadvise(int fd) {
        try {
            return (int) FADVISE.invokeExact(fd, 0L, 0L, POSIX_FADV_DONTNEED);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    private static void close(int fd) {
        try {
            int ignored = (int) CLOSE.invokeExact(fd);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    private static void check(Path file, String call, int errno) throws IOException {
        if (errno != 0) {
            throw new IOException(file + ": cannot be dropped from the page cache: " + call + " failed with errno "
                    + errno);
        }
    }
}
