package io.fastsafetensors.testkit.ffm;

import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.ffm.Errno;
import io.fastsafetensors.spi.ffm.NativeLibrary;
import io.fastsafetensors.spi.ffm.WordFunction;
import io.fastsafetensors.spi.storage.DescriptorAccess;
import io.fastsafetensors.spi.storage.FileIdentity;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.types.Location;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/// A local file with nothing but a length, reads and a descriptor: what a backend's direct storage is tried with. Linux
/// only. Thread-safe.
public final class DescriptorFile implements StorageFile, DescriptorAccess {
    private static final NativeLibrary LIBC = NativeLibrary.standard();
    private static final int O_RDONLY_CLOEXEC = 0x80000;
    private static final int O_WRONLY_CLOEXEC = 0x80001;
    private static final int SEEK_END = 2;

    // int open(const char *pathname, int flags, ...)
    private static final WordFunction OPEN = LIBC.words("open");
    // off_t lseek(int fd, off_t offset, int whence)
    private static final WordFunction LSEEK = LIBC.words("lseek");
    // ssize_t pread(int fd, void *buf, size_t count, off_t offset)
    private static final WordFunction PREAD = LIBC.words("pread");
    // int close(int fd)
    private static final WordFunction CLOSE = LIBC.words("close");

    private final Location location;
    private final int fd;
    private final long length;
    private boolean closed;

    private DescriptorFile(Path path, int fd) {
        this.location = Location.of(path);
        this.fd = fd;
        this.length = LSEEK.call(fd, 0, SEEK_END);
    }

    /// Opens a file, which the caller closes.
    public static DescriptorFile open(Path path) {
        return open(path, O_RDONLY_CLOEXEC);
    }

    /// Opens a file in a way that every read of it fails.
    public static DescriptorFile openForWriting(Path path) {
        return open(path, O_WRONLY_CLOEXEC);
    }

    private static DescriptorFile open(Path path, int flags) {
        try (Arena arena = Arena.ofConfined()) {
            int fd = (int) OPEN.call(arena.allocateFrom(path.toString()).address(), flags);
            if (fd < 0) {
                throw new StorageException("cannot open: errno " + Errno.last(), Where.file(path));
            }
            return new DescriptorFile(path, fd);
        }
    }

    @Override
    public Location location() {
        return location;
    }

    @Override
    public long length() {
        return length;
    }

    @Override
    public FileIdentity identity() {
        return FileIdentity.of(location.toString());
    }

    @Override
    public long read(long offset, MemorySegment target, long targetOffset, long bytes) {
        long got = PREAD.call(fd, target.address() + targetOffset, bytes, offset);
        if (got < 0) {
            throw new StorageException("read failed: errno " + Errno.last(), location.where().withOffset(offset));
        }
        return got;
    }

    @Override
    public String storageName() {
        return "local";
    }

    @Override
    public int descriptor() {
        return fd;
    }

    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            CLOSE.call(fd);
        }
    }
}
