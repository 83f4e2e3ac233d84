package io.fastsafetensors.core.write;

import io.fastsafetensors.core.linux.ffm.LibC;
import io.fastsafetensors.core.linux.ffm.PlatformLibC;
import io.fastsafetensors.core.memory.Waits;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.util.ArrayDeque;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.jspecify.annotations.Nullable;

/// Writes runs of bytes past the page cache: one is gathered while those before are written by threads of their own.
/// Where the file system has no direct writes, everything goes through the page cache. Used by one thread.
///
/// Memory is bounded: [#FLYING] runs under way and one being filled, 8 MiB each, used again and again. A write that fails
/// on another thread is thrown by the next [#write] or [#flush] of this one, so only a flush that returned says that the
/// bytes are with the kernel; durable they are by the file's own `fsync`.
///
/// A checkpoint that is larger than memory would otherwise drive everything else out of the cache, and the kernel would
/// put the writing off until it has to be waited for.
///
/// A buffer belongs to one of: this writer while it is filled, a thread while it is written, or the spares. Runs of
/// one file may be written in any order, since each has its place.
final class PageWriter implements AutoCloseable {
    /// Runs being written at a time: a drive that also reads serves one at a time at half its rate.
    private static final int FLYING = 3;

    /// What O_DIRECT asks of address, offset and length; 512 would do for most drives, 4096 does for all.
    private static final int PAGE = 4096;
    /// Direct writes from 4 KiB pages are slower: the kernel looks up each of them.
    private static final int HUGE_PAGE = 2 << 20;
    /// Bytes of a run: enough that a drive is as fast as with more.
    private static final int CAPACITY = 8 << 20;

    /// Shared: the threads write what this one gathered.
    private final Arena arena = Arena.ofShared();
    private final ExecutorService threads =
            Executors.newFixedThreadPool(FLYING, Thread.ofPlatform().daemon().name("fst-writer-", 1).factory());
    /// Runs that are being written, the oldest first.
    private final ArrayDeque<Flight> flights = new ArrayDeque<>();
    /// Memory of runs that were written.
    private final ArrayDeque<PageBuffer> spares = new ArrayDeque<>();
    private PageBuffer filling = new PageBuffer(arena);

    /// A run that is being written.
    private static final class Flight {
        private final PageBuffer run;
        private final AtomicFile target;
        private final CountDownLatch written = new CountDownLatch(1);
        private volatile @Nullable Throwable failure;

        private Flight(PageBuffer run, AtomicFile target) {
            this.run = run;
            this.target = target;
        }

        /// On a thread of its own; what fails is kept for the writer.
        private void write(@Nullable FileChannel direct) {
            try {
                run.writeTo(target.channel(), direct);
            } catch (IOException | RuntimeException | Error e) {
                failure = e;
            } finally {
                written.countDown();
            }
        }

        /// @throws io.fastsafetensors.error.StorageException if the run could not be written
        private void await() {
            Waits.uninterruptibly(written::await);
            switch (failure) {
                case IOException e -> throw CheckpointOutput.failure(e, target.target());
                case RuntimeException e -> throw e;
                case Error e -> throw e;
                case null, default -> {
                }
            }
        }
    }

    /// Takes bytes for `target`. They are written when the run is long enough or ends.
    ///
    /// @throws io.fastsafetensors.error.StorageException if a run before could not be written
    void write(AtomicFile target, long position, ByteBuffer bytes) {
        if (!filling.continuesAt(target, position)) {
            send();
            filling.begin(target, position);
        }
        while (bytes.hasRemaining()) {
            filling.add(bytes);
            if (filling.isFull()) {
                next(target);
            }
        }
    }

    /// Ends the run, and returns when everything is written.
    ///
    /// @throws io.fastsafetensors.error.StorageException if it could not be
    void flush() {
        AtomicFile target = filling.file();
        if (target != null) {
            next(target);
        }
        while (!flights.isEmpty()) {
            awaitWritten();
        }
    }

    /// Sends the run; the next one follows on.
    private void next(AtomicFile target) {
        long end = filling.end();
        send();
        filling.begin(target, end);
    }

    /// Hands the run to a thread; from then on another one is filled.
    private void send() {
        AtomicFile target = filling.file();
        if (target == null || filling.isEmpty()) {
            return;
        }
        while (flights.size() >= FLYING) {
            awaitWritten();
        }
        FileChannel direct = target.directChannel();
        Flight flight = new Flight(filling, target);
        flights.add(flight);
        PageBuffer spare = spares.poll();
        filling = spare == null ? new PageBuffer(arena) : spare;
        threads.execute(() -> flight.write(direct));
    }

    /// Waits for the oldest, whose memory can be filled again then.
    ///
    /// @throws io.fastsafetensors.error.StorageException if it could not be written
    private void awaitWritten() {
        Flight oldest = flights.remove();
        oldest.await();
        spares.add(oldest.run);
    }

    /// Drops what was not flushed, and the memory.
    @Override
    public void close() {
        threads.close();
        arena.close();
    }

    /// Bytes of a file that follow each other, gathered in page-aligned memory. One thread at a time: the writer's while it
    /// is filled, then one of [#threads] until its [Flight] has ended.
    private static final class PageBuffer {
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
                System.getLogger(PageWriter.class.getName()).log(System.Logger.Level.DEBUG,
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

        /// Whether bytes at that position follow its last one.
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
        ///
        /// A refusal loses nothing: what was not written directly is written through the page cache.
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

        /// @param start the first byte in the buffer
        /// @param end the one after the last
        private void put(FileChannel channel, int start, int end) throws IOException {
            ByteBuffer bytes = buffer.slice(start, end - start);
            while (bytes.hasRemaining()) {
                channel.write(bytes, base + start + bytes.position());
            }
        }
    }
}
