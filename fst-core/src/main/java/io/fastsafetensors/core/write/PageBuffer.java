package io.fastsafetensors.core.write;

import io.fastsafetensors.core.linux.ffm.PlatformLibC;
import io.fastsafetensors.core.linux.ffm.LibC;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import org.jspecify.annotations.Nullable;

/// Bytes of a file that follow each other, gathered in page-aligned memory. One thread at a time.
final class PageBuffer {
    private static final int PAGE = 4096;
    private static final int HUGE_PAGE = 2 << 20;
    /// Enough that a drive is as fast as with more.
    private static final int CAPACITY = 8 << 20;

    private final ByteBuffer buffer;
    private @Nullable AtomicFile file;
    // File position of the buffer's first byte, a multiple of the page; the run's bytes are [from, to) of the buffer.
    private long base;
    private int from;
    private int to;

    /// Empty, with memory that lives as long as `arena`.
    PageBuffer(Arena arena) {
        MemorySegment memory = arena.allocate(CAPACITY, HUGE_PAGE);
        LibC libc = PlatformLibC.instance();
        if (libc != null && libc.madvise(memory.address(), CAPACITY, LibC.MADV_COLLAPSE) != 0) {
            System.getLogger(PageBuffer.class.getName()).log(System.Logger.Level.DEBUG,
                    "no huge pages to write from: direct writes are slower");
        }
        this.buffer = memory.asByteBuffer();
    }

    /// Begins again, empty, at a position of a file.
    void begin(AtomicFile target, long position) {
        file = target;
        from = (int) (position % PAGE);
        to = from;
        base = position - from;
    }

    boolean continuesAt(AtomicFile target, long position) {
        return target.equals(file) && position == end();
    }

    /// The file position after its last byte.
    long end() {
        return base + to;
    }

    boolean isEmpty() {
        return from == to;
    }

    boolean isFull() {
        return to == CAPACITY;
    }

    /// Takes as many bytes as there is room for.
    void add(ByteBuffer bytes) {
        int count = Math.min(bytes.remaining(), CAPACITY - to);
        buffer.put(to, bytes, bytes.position(), count);
        bytes.position(bytes.position() + count);
        to += count;
    }

    /// Its file, null if it has none yet.
    @Nullable
    AtomicFile file() {
        return file;
    }

    /// Writes whole pages past the page cache, the broken ones at both ends through it.
    ///
    /// @param direct the way past the page cache, null if there is none
    void writeTo(FileChannel cached, @Nullable FileChannel direct) throws IOException {
        int firstWhole = Math.min(to, Math.ceilDiv(from, PAGE) * PAGE);
        int lastWhole = Math.max(firstWhole, to / PAGE * PAGE);
        put(cached, from, firstWhole);
        int rest = firstWhole;
        if (direct != null && firstWhole < lastWhole) {
            rest = putPages(direct, firstWhole, lastWhole);
        }
        put(cached, rest, to);
    }

    /// How far it came: what the file system refuses goes the other way, which knows the reason if there is one.
    private int putPages(FileChannel channel, int start, int end) {
        int at = start;
        try {
            while (at < end && at % PAGE == 0) {
                at += channel.write(buffer.slice(at, end - at), base + at);
            }
        } catch (IOException e) {
            return at / PAGE * PAGE;
        }
        return at;
    }

    private void put(FileChannel channel, int start, int end) throws IOException {
        ByteBuffer bytes = buffer.slice(start, end - start);
        while (bytes.hasRemaining()) {
            channel.write(bytes, base + start + bytes.position());
        }
    }
}
