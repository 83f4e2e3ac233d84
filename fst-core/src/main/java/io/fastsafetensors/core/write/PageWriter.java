package io.fastsafetensors.core.write;

import io.fastsafetensors.core.memory.Uninterruptibly;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.jspecify.annotations.Nullable;

/// Writes runs of bytes past the page cache: one is gathered while the one before is written by a thread of its own.
/// Where the file system has no direct writes, everything goes through the page cache. Used by one thread.
///
/// A checkpoint that is larger than memory would otherwise drive everything else out of the cache, and the kernel would
/// put the writing off until it has to be waited for.
final class PageWriter implements AutoCloseable {
    private final Arena arena = Arena.ofShared();
    private final ExecutorService thread =
            Executors.newSingleThreadExecutor(Thread.ofPlatform().daemon().name("fst-writer").factory());
    private PageRun filling = new PageRun(arena);
    private PageRun spare = new PageRun(arena);
    private @Nullable Flight flight;

    /// A run that is being written.
    private static final class Flight {
        private final Path target;
        private final CountDownLatch landed = new CountDownLatch(1);
        private volatile @Nullable Throwable failure;

        private Flight(Path target) {
            this.target = target;
        }

        private void write(PageRun run, FileChannel cached, @Nullable FileChannel direct) {
            try {
                run.writeTo(cached, direct);
            } catch (IOException | RuntimeException | Error e) {
                failure = e;
            } finally {
                landed.countDown();
            }
        }

        private void await() {
            Uninterruptibly.run(landed::await);
            switch (failure) {
                case IOException e -> throw CheckpointOutput.failure(e, target);
                case RuntimeException e -> throw e;
                case Error e -> throw e;
                case null, default -> {
                }
            }
        }
    }

    /// Takes bytes for `target`. They are written when the run is long enough or ends.
    ///
    /// @throws io.fastsafetensors.error.StorageException if the run before could not be written
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
        await();
    }

    /// Sends the run; the next one follows on.
    private void next(AtomicFile target) {
        long end = filling.end();
        send();
        filling.begin(target, end);
    }

    /// Hands the run to the thread; from then on the other one is filled.
    private void send() {
        AtomicFile target = filling.file();
        if (target == null || filling.isEmpty()) {
            return;
        }
        await();
        PageRun run = filling;
        FileChannel direct = target.directChannel();
        Flight begun = new Flight(target.target());
        flight = begun;
        filling = spare;
        spare = run;
        thread.execute(() -> begun.write(run, target.channel(), direct));
    }

    private void await() {
        Flight before = flight;
        flight = null;
        if (before != null) {
            before.await();
        }
    }

    /// Drops what was not flushed, and the memory.
    @Override
    public void close() {
        if (flight != null) {
            Uninterruptibly.run(flight.landed::await);
        }
        thread.close();
        arena.close();
    }
}
