package io.fastsafetensors.core.storage;

import io.fastsafetensors.core.linux.ffm.LibC;
import io.fastsafetensors.core.linux.ffm.LibC.Statx;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Deque;
import java.util.List;

/// One file in an array behind the C library's calls. Follows a script of failures, knows which pages are cached, and
/// is strict about the rules of direct reads.
public class ScriptedLibC implements LibC {
    public static final int EINTR = Errnos.EINTR;
    public static final int EIO = Errnos.EIO;
    public static final int EAGAIN = Errnos.EAGAIN;
    public static final int ENOMEM = 12;
    public static final int EINVAL = Errnos.EINVAL;
    private static final int PAGE = 4096;

    /// What the next pread does instead of reading all: a negative errno, or the most bytes it returns.
    public final Deque<Integer> script = new ArrayDeque<>();
    public final BitSet cachedPages = new BitSet();
    public final List<String> calls = new ArrayList<>();
    public byte[] content;
    public boolean cachestat = true;
    public int openDirectErrno;
    public int openErrno;
    public long fileSystem = 0xEF53;
    public int openDescriptors;
    /// What a direct open by path finds there.
    public boolean proc = true;
    /// Another file is at the path by now.
    public boolean replaced;
    public int pageSize = PAGE;
    /// Nanoseconds of the last change.
    public int changed;
    public final List<String> opened = new ArrayList<>();
    private int errno;

    public ScriptedLibC(byte[] content) {
        this.content = content;
    }

    @Override
    public int o_direct() {
        return 0x4000;
    }

    @Override
    public int open(byte[] path, int flags) {
        String name = new String(path, StandardCharsets.UTF_8);
        opened.add(name);
        if (name.startsWith("/proc/") && !proc) {
            errno = Errnos.ENOENT;
            return -1;
        }
        boolean direct = (flags & o_direct()) != 0;
        if (direct ? openDirectErrno != 0 : openErrno != 0) {
            errno = direct ? openDirectErrno : openErrno;
            return -1;
        }
        openDescriptors++;
        return direct ? 4 : 3;
    }

    @Override
    public int close(int fd) {
        openDescriptors--;
        return 0;
    }

    @Override
    public int statx(int dirfd, byte[] path, int flags, Statx into) {
        boolean other = replaced && (path.length > 0 || dirfd == 4);
        into.set(0x8000, 1, other ? 2 : 1, content.length, 1, changed);
        return 0;
    }

    @Override
    public int fsync(int fd) {
        return 0;
    }

    @Override
    public int posix_fadvise(int fd, long offset, long length, int advice) {
        cachedPages.clear();
        return 0;
    }

    @Override
    public long page_size() {
        return pageSize;
    }

    @Override
    public MemorySegment mmap(int fd, long offset, long length, Arena arena) {
        throw new UnsupportedOperationException("not scripted");
    }

    @Override
    public long pread(int fd, long buffer, long count, long offset) {
        boolean direct = fd == 4;
        calls.add((direct ? "direct " : "buffered ") + offset + "+" + count);
        if (direct && (buffer % PAGE != 0 || count % PAGE != 0 || offset % PAGE != 0)) {
            errno = Errnos.EINVAL;
            return -1;
        }
        int limit = script.isEmpty() ? Integer.MAX_VALUE : script.poll();
        if (limit < 0) {
            errno = -limit;
            return -1;
        }
        return copy(buffer, Math.min(count, limit), offset);
    }

    @Override
    public long preadv2(int fd, long buffer, long count, long offset, int flags) {
        long bytes = 0;
        while (bytes < count && cachedPages.get((int) ((offset + bytes) / PAGE))) {
            bytes += PAGE - (offset + bytes) % PAGE;
        }
        calls.add("nowait " + offset + "+" + count);
        errno = Errnos.EAGAIN;
        return bytes == 0 ? -1 : copy(buffer, Math.min(bytes, count), offset);
    }

    @SuppressWarnings("restricted")
    private long copy(long buffer, long count, long offset) {
        int bytes = (int) Math.max(0, Math.min(count, content.length - offset));
        MemorySegment.copy(content, (int) Math.min(offset, content.length),
                MemorySegment.ofAddress(buffer).reinterpret(bytes), ValueLayout.JAVA_BYTE, 0, bytes);
        return bytes;
    }

    @Override
    public long fstatfs_type(int fd) {
        return fileSystem;
    }

    @Override
    public long cachestat_cached(int fd, long offset, long length) {
        if (!cachestat) {
            return -1;
        }
        // A large page is cached if its first small one is.
        long cached = 0;
        for (long at = offset / pageSize * pageSize; at < Math.min(content.length, offset + length); at += pageSize) {
            cached += cachedPages.get((int) (at / PAGE)) ? 1 : 0;
        }
        return cached;
    }

    @Override
    public int fallocate(int fd, int mode, long offset, long length) {
        throw new UnsupportedOperationException("not scripted");
    }

    @Override
    public int madvise(long address, long length, int advice) {
        throw new UnsupportedOperationException("not scripted");
    }

    @Override
    public int sched_setaffinity(long... mask) {
        throw new UnsupportedOperationException("not scripted");
    }

    @Override
    public int errno() {
        return errno;
    }
}
