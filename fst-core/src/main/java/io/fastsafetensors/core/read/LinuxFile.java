package io.fastsafetensors.core.read;

import io.fastsafetensors.core.read.ffm.FileLibC;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.error.Where;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.concurrent.locks.LockSupport;

/// A file through Linux's own calls: one descriptor through the page cache, one past it where the storage allows.
final class LinuxFile implements StorageFile {
    private static final int MOST_RETRIES = 1000;
    private static final long RETRY_NANOS = 1_000_000;

    private final FileLibC c;
    private final Path path;
    private final int fd;
    private final long length;
    private final FileSystems.Kind kind;
    private final int directFd;
    private volatile boolean direct;
    private volatile String reason;
    private boolean closed;

    private LinuxFile(FileLibC c, Path path, int fd, boolean wantDirect) {
        this.c = c;
        this.path = path;
        this.fd = fd;
        this.length = c.lseek(fd, 0, FileLibC.SEEK_END);
        if (length < 0) {
            throw failure("lseek", 0, c.errno());
        }
        this.kind = FileSystems.of(c.fstatfs_type(fd));
        if (!wantDirect) {
            directFd = -1;
            reason = "buffered: direct reads are switched off";
        } else if (kind.buffered() != null) {
            directFd = -1;
            reason = "buffered: " + kind.buffered();
        } else {
            directFd = c.open(path, FileLibC.O_RDONLY | FileLibC.O_CLOEXEC | c.o_direct());
            reason = directFd < 0 ? "buffered: open with O_DIRECT failed: " + Errnos.describe(c.errno())
                    : "direct (O_DIRECT) where the page cache does not hold it";
        }
        direct = directFd >= 0;
    }

    static LinuxFile open(FileLibC c, Path path, boolean wantDirect) {
        int fd = openRetrying(c, path);
        try {
            return new LinuxFile(c, path, fd, wantDirect);
        } catch (RuntimeException e) {
            c.close(fd);
            throw e;
        }
    }

    private static int openRetrying(FileLibC c, Path path) {
        for (int attempt = 0;; attempt++) {
            int fd = c.open(path, FileLibC.O_RDONLY | FileLibC.O_CLOEXEC);
            if (fd >= 0) {
                return fd;
            }
            if (c.errno() != Errnos.EINTR || attempt == MOST_RETRIES) {
                throw new StorageException("cannot open: " + Errnos.describe(c.errno()), Where.file(path));
            }
        }
    }

    @Override
    public Path path() {
        return path;
    }

    @Override
    public long length() {
        return length;
    }

    @Override
    public String fileSystem() {
        return kind.name();
    }

    @Override
    public boolean isDirect() {
        return direct;
    }

    @Override
    public String reason() {
        return reason;
    }

    @Override
    public long cachedPages(long offset, long bytes) {
        return c.cachestat_cached(fd, offset, bytes);
    }

    @Override
    public long readCached(long offset, MemorySegment target, long targetOffset, long bytes) {
        return Math.max(0, c.preadv2(fd, target.address() + targetOffset, bytes, offset, FileLibC.RWF_NOWAIT));
    }

    @Override
    public long readBuffered(long offset, MemorySegment target, long targetOffset, long bytes) {
        return read(fd, offset, target.address() + targetOffset, bytes);
    }

    @Override
    public long readDirect(long offset, MemorySegment target, long targetOffset, long bytes) {
        return read(directFd, offset, target.address() + targetOffset, bytes);
    }

    private long read(int descriptor, long offset, long address, long bytes) {
        for (int attempt = 0;; attempt++) {
            long got = c.pread(descriptor, address, bytes, offset);
            if (got >= 0) {
                return got;
            }
            int errno = c.errno();
            if (errno == Errnos.EINVAL && descriptor == directFd) {
                direct = false;
                reason = "buffered: the storage refused a direct read (EINVAL)";
                return REFUSED;
            }
            boolean retry = errno == Errnos.EINTR || errno == Errnos.EAGAIN;
            if (!retry || attempt == MOST_RETRIES) {
                throw failure("read", offset, errno);
            }
            if (errno == Errnos.EAGAIN) {
                LockSupport.parkNanos(RETRY_NANOS);
            }
        }
    }

    private StorageException failure(String call, long offset, int errno) {
        return new StorageException(call + " failed: " + Errnos.describe(errno), Where.file(path).withOffset(offset));
    }

    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            c.close(fd);
            if (directFd >= 0) {
                c.close(directFd);
            }
        }
    }
}
