package io.fastsafetensors.cli.ffm;

import io.fastsafetensors.spi.ffm.Errno;
import io.fastsafetensors.spi.ffm.NativeLibrary;
import io.fastsafetensors.spi.ffm.WordFunction;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Path;

/// [PageCache] on the C library of 64-bit Linux.
final class PageCacheFfm implements PageCache {
    private static final int O_RDONLY_CLOEXEC = 0x80000;
    private static final int POSIX_FADV_DONTNEED = 4;
    private static final NativeLibrary LIBC = NativeLibrary.standard();

    // int open(const char *pathname, int flags, ...)
    private static final WordFunction OPEN = LIBC.words("open");
    // int fsync(int fd)
    private static final WordFunction FSYNC = LIBC.words("fsync");
    // int posix_fadvise(int fd, off_t offset, off_t len, int advice); the error is what it returns
    private static final WordFunction FADVISE = LIBC.words("posix_fadvise");
    // int close(int fd)
    private static final WordFunction CLOSE = LIBC.words("close");

    @Override
    public void drop(Path file) throws IOException {
        int fd = open(file);
        try {
            // Pages that were not written back yet cannot be evicted.
            check(file, "fsync", (int) FSYNC.call(fd) < 0 ? Errno.last() : 0);
            check(file, "posix_fadvise", (int) FADVISE.call(fd, 0, 0, POSIX_FADV_DONTNEED));
        } finally {
            CLOSE.call(fd);
        }
    }

    private static int open(Path file) throws IOException {
        int fd;
        try (Arena arena = Arena.ofConfined()) {
            fd = (int) OPEN.call(arena.allocateFrom(file.toString()).address(), O_RDONLY_CLOEXEC);
        }
        check(file, "open", fd < 0 ? Errno.last() : 0);
        return fd;
    }

    private static void check(Path file, String call, int errno) throws IOException {
        if (errno != 0) {
            throw new IOException(file + ": cannot be dropped from the page cache: " + call + " failed with errno "
                    + errno);
        }
    }
}
