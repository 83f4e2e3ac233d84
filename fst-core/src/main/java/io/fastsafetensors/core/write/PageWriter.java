package io.fastsafetensors.core.write;

import io.fastsafetensors.core.memory.Waits;
import java.io.IOException;
import java.lang.foreign.Arena;
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
/// A checkpoint that is larger than memory would otherwise drive everything else out of the cache, and the kernel would
/// put the writing off until it has to be waited for.
final class PageWriter implements AutoCloseable {
    /// Runs being written at a time: a drive that also reads serves one at a time at half its rate.
    private static final int FLYING = 3;

    private final Arena arena = Arena.ofShared();
    private final ExecutorService threads =
            Executors.newFixedThreadPool(FLYING, Thread.ofPlatform().daemon().name("fst-writer-", 1).factory());
    private final ArrayDeque<Flight> flights = new ArrayDeque<>();
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

        private void write(@Nullable FileChannel direct) {
            try {
                run.writeTo(target.channel(), direct);
            } catch (IOException | RuntimeException | Error e) {
                failure = e;
            } finally {
                written.countDown();
            }
        }

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
}
