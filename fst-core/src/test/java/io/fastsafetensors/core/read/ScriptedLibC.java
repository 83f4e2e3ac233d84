package io.fastsafetensors.core.read;

import io.fastsafetensors.core.read.ffm.FileLibC;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Deque;
import java.util.List;

/// One file in an array behind the C library's calls. Follows a script of failures, knows which pages are cached, and
/// is strict about the rules of direct reads.
final class ScriptedLibC implements FileLibC {
    static final int EIO = 5;
    static final int ENOMEM = 12;
    private static final int PAGE = 4096;

    /// What the next pread does instead of reading all: a negative errno, or the most bytes it returns.
    final Deque<Integer> script = new ArrayDeque<>();
    final BitSet cachedPages = new BitSet();
    final List<String> calls = new ArrayList<>();
    byte[] content;
    boolean cachestat = true;
    int openDirectErrno;
    int openErrno;
    long fileSystem = 0xEF53;
    int openDescriptors;
    private int errno;

    ScriptedLibC(byte[] content) {
        this.content = content;
    }

    @Override
    public int o_direct() {
        return 0x4000;
    }

    @Override
    public int open(Path path, int flags) {
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
    public long lseek(int fd, long offset, int whence) {
        return content.length;
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
        int end = (int) Math.ceilDiv(Math.min(content.length, offset + length), (long) PAGE);
        return cachedPages.get((int) (offset / PAGE), Math.max(end, (int) (offset / PAGE))).cardinality();
    }

    @Override
    public int errno() {
        return errno;
    }
}
