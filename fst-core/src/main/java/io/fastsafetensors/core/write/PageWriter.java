package io.fastsafetensors.core.write;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import org.jspecify.annotations.Nullable;

/// Writes runs of bytes past the page cache: they are gathered in page-aligned memory, whole pages go directly, the
/// broken pages at both ends of a run through the page cache. Where the file system has no direct writes, everything
/// goes through the page cache. One thread.
///
/// A checkpoint that is larger than memory would otherwise drive everything else out of the cache, and the kernel would
/// put the writing off until it has to be waited for.
final class PageWriter implements AutoCloseable {
    private static final int PAGE = 4096;
    /// Enough that a drive is as fast as with more.
    private static final int CAPACITY = 8 << 20;

    private final Arena arena = Arena.ofShared();
    private final ByteBuffer buffer = arena.allocate(CAPACITY, PAGE).asByteBuffer();
    private @Nullable AtomicFile file;
    // File position of the buffer's first byte, a multiple of the page; the run's bytes are [from, to) of the buffer.
    private long base;
    private int from;
    private int to;

    /// Takes bytes for `target`. They are written when the run is long enough or ends.
    void write(AtomicFile target, long position, ByteBuffer bytes) throws IOException {
        if (!target.equals(file) || position != base + to) {
            flush();
            file = target;
            from = (int) (position % PAGE);
            to = from;
            base = position - from;
        }
        while (bytes.hasRemaining()) {
            int count = Math.min(bytes.remaining(), CAPACITY - to);
            buffer.put(to, bytes, bytes.position(), count);
            bytes.position(bytes.position() + count);
            to += count;
            if (to == CAPACITY) {
                flush();
            }
        }
    }

    /// Ends the run.
    void flush() throws IOException {
        AtomicFile target = file;
        if (target == null || from == to) {
            return;
        }
        int firstWhole = Math.min(to, Math.ceilDiv(from, PAGE) * PAGE);
        int lastWhole = Math.max(firstWhole, to / PAGE * PAGE);
        put(target.channel(), from, firstWhole);
        int direct = firstWhole;
        FileChannel channel = firstWhole < lastWhole ? target.directChannel() : null;
        if (channel != null) {
            direct = putPages(channel, firstWhole, lastWhole);
        }
        put(target.channel(), direct, to);
        base += to;
        from = (int) (base % PAGE);
        base -= from;
        to = from;
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

    /// Drops what was not flushed, and the memory.
    @Override
    public void close() {
        arena.close();
    }
}
