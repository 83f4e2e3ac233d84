package io.fastsafetensors.core.storage;

import io.fastsafetensors.core.linux.ffm.LibC;
import io.fastsafetensors.core.linux.ffm.LibC.Statx;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.spi.storage.CacheResidency;
import io.fastsafetensors.spi.storage.DescriptorAccess;
import io.fastsafetensors.spi.storage.DirectReads;
import io.fastsafetensors.spi.storage.FileIdentity;
import io.fastsafetensors.spi.storage.Mapping;
import io.fastsafetensors.spi.storage.OpenFile;
import io.fastsafetensors.types.Location;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.locks.LockSupport;

/// A file through Linux's own calls: one descriptor through the page cache, and of the same file one past it, opened for
/// the first direct read where the storage allows.
///
/// The file stays the one that was opened, whatever its path names later: the second descriptor is opened through
/// `/proc/self/fd`, and identities are asked of the descriptor. Used by many threads at once; reads allocate nothing.
///
/// The status of the descriptor is asked with each block ([#currentIdentity]), so that a write during the load is
/// found out wherever it happens. Reads go by the address of the target, so the caller keeps the segment alive.
///
/// Direct reads may be refused when the descriptor is opened or with the first read; from then on [#readDirect]
/// returns `REFUSED` and the file is read through the page cache.
final class LinuxFile extends OpenFile implements CacheResidency, DirectReads, Mapping, DescriptorAccess {
    /// Times that a call is made again after EINTR or EAGAIN.
    private static final int MOST_RETRIES = 1000;
    /// Nanoseconds between two tries after EAGAIN, which asks for time; after EINTR there is no pause.
    private static final long RETRY_NANOS = 1_000_000;
    /// State of [#directFd]: nobody has asked for a direct read yet.
    private static final int NOT_TRIED = -2;
    /// State of [#directFd]: there are no direct reads; [#reason] says why.
    private static final int NONE = -1;
    private static final byte[] NO_PATH = {};
    /// One for each thread, since each block's arrival asks for the status, and may allocate nothing.
    private static final ThreadLocal<Statx> STATUS = ThreadLocal.withInitial(Statx::new);

    private final LibC c;
    private final byte[] path;
    private final int fd;
    private final long device;
    private final long inode;
    /// Bytes when it was opened; what is planned and read goes by it, though the file may have grown since.
    private final long length;
    private final long seconds;
    private final int nanos;
    private final FileIdentity identity;
    /// Of the open file and not of its path: another file system may be mounted there later.
    private final FileSystems.Kind kind;
    private final long pageSize;
    /// A descriptor, [#NOT_TRIED] or [#NONE]; written under the lock, read without it by every direct read.
    private volatile int directFd;
    /// How it is read, for people; changes once at most, when direct reads are given up.
    private volatile String reason;
    /// The direct descriptor after the storage refused to read by it: others may still be reading, so it is closed with
    /// the file.
    private int refusedFd = NONE;

    /// The descriptor is this object's once the constructor has returned; until then it is the caller's.
    private LinuxFile(LibC c, Location location, byte[] path, int fd) {
        super(location);
        this.c = c;
        this.path = path;
        this.fd = fd;
        Statx status = STATUS.get();
        if (c.statx(fd, NO_PATH, LibC.AT_EMPTY_PATH, status) < 0) {
            throw failure("statx", c.errno());
        }
        if (!status.isRegular()) {
            throw new StorageException("not a regular file", location.where().withOffset(0));
        }
        this.device = status.device();
        this.inode = status.inode();
        this.length = status.size();
        this.seconds = status.seconds();
        this.nanos = status.nanos();
        this.identity = LocalIdentity.of(status);
        this.kind = FileSystems.of(c.fstatfs_type(fd));
        this.pageSize = c.page_size();
        this.directFd = kind.buffered() == null ? NOT_TRIED : NONE;
        this.reason = kind.buffered() == null ? "direct (O_DIRECT) where the page cache does not hold it"
                : "buffered: " + kind.buffered();
    }

    /// Opens a local file. One that is not regular is refused without waiting for anybody. The descriptor is closed if
    /// anything fails after it was opened.
    ///
    /// @throws StorageException if it cannot be opened, or is a directory, pipe or device
    static LinuxFile open(LibC c, Location location) {
        byte[] path = location.bytes();
        int fd = openRetrying(c, location, path);
        try {
            return new LinuxFile(c, location, path, fd);
        } catch (RuntimeException | Error e) {
            c.close(fd);
            throw e;
        }
    }

    /// Opens without waiting: of a pipe nobody may ever write to the other end.
    private static int openRetrying(LibC c, Location location, byte[] path) {
        for (int attempt = 0;; attempt++) {
            int fd = c.open(path, LibC.O_RDONLY | LibC.O_CLOEXEC | LibC.O_NONBLOCK);
            if (fd >= 0) {
                return fd;
            }
            // A lease of another process on the file gives EAGAIN until it is broken.
            boolean retry = c.errno() == Errnos.EINTR || c.errno() == Errnos.EAGAIN;
            if (!retry || attempt == MOST_RETRIES) {
                throw new StorageException("cannot open: " + Errnos.describe(c.errno()), location.where());
            }
            pauseIfAgain(c.errno());
        }
    }

    /// Waits where waiting helps.
    private static void pauseIfAgain(int errno) {
        if (errno == Errnos.EAGAIN) {
            LockSupport.parkNanos(RETRY_NANOS);
        }
    }

    @Override
    public long length() {
        return length;
    }

    @Override
    public FileIdentity identity() {
        return identity;
    }

    @Override
    public FileIdentity currentIdentity() {
        requireOpen();
        Statx status = STATUS.get();
        if (c.statx(fd, NO_PATH, LibC.AT_EMPTY_PATH, status) < 0) {
            throw failure("statx", c.errno());
        }
        return isThis(status) ? identity : LocalIdentity.of(status);
    }

    /// Compared number by number: an identity is text, and made only where it differs.
    private boolean isThis(Statx status) {
        return status.inode() == inode && status.device() == device && status.size() == length
                && status.seconds() == seconds && status.nanos() == nanos;
    }

    /// Asks for the path again, links followed. A path that names nothing any more counts as current: what was
    /// removed was not replaced.
    @Override
    public boolean isCurrent() {
        requireOpen();
        Statx status = STATUS.get();
        return c.statx(LibC.AT_FDCWD, path, 0, status) < 0 || isThis(status);
    }

    @Override
    public String storageName() {
        return kind.name();
    }

    @Override
    public String reason() {
        return reason;
    }

    /// The kernel counts pages and not bytes: where a page at an edge may be missing it is not counted, so that what is
    /// said to be cached is.
    @Override
    public long cachedBytes(long offset, long bytes) {
        requireOpen();
        long cached = c.cachestat_cached(fd, offset, bytes);
        if (cached < 0) {
            return -1;
        }
        long first = offset & -pageSize;
        long end = (offset + bytes + pageSize - 1) & -pageSize;
        long cachedSpan = cached * pageSize;
        // Which pages are missing is not known: never count an edge that may be.
        return cachedSpan >= end - first ? bytes : Math.max(Math.min(cached, 1), cachedSpan - (end - first - bytes));
    }

    @Override
    public long readCached(long offset, MemorySegment target, long targetOffset, long bytes) {
        requireOpen();
        return Math.max(0, c.preadv2(fd, target.address() + targetOffset, bytes, offset, LibC.RWF_NOWAIT));
    }

    /// Also writes back what is dirty, of whichever process.
    @Override
    public boolean evict() {
        requireOpen();
        // Pages that were not written back yet cannot be evicted.
        return c.fsync(fd) == 0 && c.posix_fadvise(fd, 0, 0, LibC.POSIX_FADV_DONTNEED) == 0;
    }

    /// May return less than was wanted: a call reads at most 2 GiB.
    @Override
    public long read(long offset, MemorySegment target, long targetOffset, long bytes) {
        requireOpen();
        return read(fd, offset, target.address() + targetOffset, bytes);
    }

    @Override
    public boolean isDirect() {
        return directFd != NONE;
    }

    @Override
    public long readDirect(long offset, MemorySegment target, long targetOffset, long bytes) {
        requireOpen();
        int direct = directFd == NOT_TRIED ? openDirect() : directFd;
        return direct == NONE ? REFUSED : read(direct, offset, target.address() + targetOffset, bytes);
    }

    /// A second descriptor of the file that is open, whatever its path names now.
    private synchronized int openDirect() {
        if (directFd != NOT_TRIED) {
            return directFd;
        }
        int flags = LibC.O_RDONLY | LibC.O_CLOEXEC | c.o_direct();
        int opened = c.open(("/proc/self/fd/" + fd).getBytes(StandardCharsets.US_ASCII), flags);
        if (opened < 0 && (c.errno() == Errnos.ENOENT || c.errno() == Errnos.ENOTDIR)) {
            opened = openDirectByPath(flags);
        } else if (opened < 0) {
            refuseDirect("open with O_DIRECT failed: " + Errnos.describe(c.errno()));
        }
        directFd = opened;
        return opened;
    }

    /// Where /proc is not mounted.
    private int openDirectByPath(int flags) {
        int opened = c.open(path, flags);
        if (opened < 0) {
            refuseDirect("open with O_DIRECT failed: " + Errnos.describe(c.errno()));
            return NONE;
        }
        Statx status = STATUS.get();
        if (c.statx(opened, NO_PATH, LibC.AT_EMPTY_PATH, status) < 0 || status.device() != device
                || status.inode() != inode) {
            c.close(opened);
            refuseDirect("/proc is not mounted and the path names another file by now");
            return NONE;
        }
        return opened;
    }

    /// From then on reports and statistics say why.
    private void refuseDirect(String why) {
        reason = "buffered: " + why;
    }

    /// EINVAL of the direct descriptor means that this storage wants another alignment, or no direct reads at all: the
    /// file goes on through the page cache. EINVAL of the other one is an error.
    private long read(int descriptor, long offset, long address, long bytes) {
        for (int attempt = 0;; attempt++) {
            long got = c.pread(descriptor, address, bytes, offset);
            if (got >= 0) {
                return got;
            }
            int errno = c.errno();
            if (errno == Errnos.EINVAL && descriptor != fd) {
                stopDirect();
                return REFUSED;
            }
            boolean retry = errno == Errnos.EINTR || errno == Errnos.EAGAIN;
            if (!retry || attempt == MOST_RETRIES) {
                throw new StorageException("read failed: " + Errnos.describe(errno),
                        location().where().withOffset(offset));
            }
            pauseIfAgain(errno);
        }
    }

    /// Other threads may be reading from the direct descriptor: it is closed with the file.
    private synchronized void stopDirect() {
        if (directFd >= 0) {
            refusedFd = directFd;
            directFd = NONE;
            refuseDirect("the storage refused a direct read (EINVAL)");
        }
    }

    /// The mapping outlives the descriptor: it ends with the arena.
    @Override
    public MemorySegment map(long offset, long bytes, Arena arena) {
        requireOpen();
        MemorySegment mapped = c.mmap(fd, offset, bytes, arena);
        if (mapped == null) {
            throw new StorageException("cannot map: " + Errnos.describe(c.errno()), location().where());
        }
        return mapped;
    }

    /// For cuFile, which registers it; not to be closed by who gets it.
    @Override
    public int descriptor() {
        requireOpen();
        return fd;
    }

    /// Names the call, because these hardly ever fail and people search for it.
    private StorageException failure(String call, int errno) {
        return new StorageException(call + " failed: " + Errnos.describe(errno), location().where());
    }

    /// Errors of close(2) say nothing of a file that was only read.
    ///
    /// Called once.
    @Override
    protected synchronized void release() {
        c.close(fd);
        if (directFd >= 0) {
            c.close(directFd);
        }
        if (refusedFd >= 0) {
            c.close(refusedFd);
        }
    }
}
