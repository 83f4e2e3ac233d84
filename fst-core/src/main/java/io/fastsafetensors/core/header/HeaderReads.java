package io.fastsafetensors.core.header;

import io.fastsafetensors.api.OpenOptions;
import io.fastsafetensors.core.storage.SourceFiles;
import io.fastsafetensors.error.LoadInterruptedException;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.types.Location;
import java.nio.channels.ClosedByInterruptException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.FutureTask;
import java.util.concurrent.Semaphore;
import org.jspecify.annotations.Nullable;

/// Reads the headers of one checkpoint in the background, each from the moment its file is known. For one thread.
///
/// Shards become known one by one while the index is parsed, so reading begins before the index is done. Each header is
/// a task that the first to come runs, a helper or the thread that waits: no thread ever waits for a task that nobody
/// has begun. Helpers end when nothing is waiting, and new ones are started as files come, at most one less than there
/// are processors.
///
/// Closing is what makes errors safe: it returns when no helper has a file open any more.
///
/// With one processor there are no helpers, and the caller reads all.
final class HeaderReads implements AutoCloseable {
    /// More at once is no faster: headers are small, and parsing keeps a core busy.
    private static final int MOST_THREADS = 16;

    private final SourceFiles sources;
    private final OpenOptions options;
    private final ParsedTexts parsed;
    private final Executor helpers;
    private final int mostHelpers = Math.min(MOST_THREADS, Runtime.getRuntime().availableProcessors()) - 1;
    /// Every read that was begun or asked for; of the calling thread alone.
    private final Map<Location, FutureTask<FileHeader>> reads = new HashMap<>();
    /// What helpers take from; the caller may have run a task that is still in it.
    private final Queue<FutureTask<FileHeader>> waiting = new ConcurrentLinkedQueue<>();
    /// As many permits as helpers may still be started; all of them back means that no helper runs.
    private final Semaphore idle = new Semaphore(mostHelpers);

    /// @param sources opens the files
    /// @param parsed what is known of the files already
    /// @param helpers runs work in the background, at once
    HeaderReads(SourceFiles sources, OpenOptions options, ParsedTexts parsed, Executor helpers) {
        this.parsed = parsed;
        this.sources = sources;
        this.options = options;
        this.helpers = helpers;
    }

    /// A header that will be asked for. Does nothing for a file that was announced before.
    void begin(Location file) {
        if (reads.containsKey(file)) {
            return;
        }
        waiting.add(task(file));
        if (idle.tryAcquire()) {
            startHelper();
        }
    }

    /// The permit that was taken for it goes back when the helper ends, or if it cannot be started.
    private void startHelper() {
        boolean started = false;
        try {
            helpers.execute(this::help);
            started = true;
        } finally {
            if (!started) {
                idle.release();
            }
        }
    }

    /// A task that reads the header and makes sure that the file was one version all the while.
    private FutureTask<FileHeader> task(Location file) {
        FutureTask<FileHeader> read = new FutureTask<>(() -> sources.file(file)
                .reading(open -> parsed.header(open, options)));
        reads.put(file, read);
        return read;
    }

    /// The loop of a helper. A task that another thread has begun is not run twice.
    private void help() {
        for (FutureTask<FileHeader> read = waiting.poll(); read != null; read = waiting.poll()) {
            read.run();
        }
        idle.release();
    }

    /// The headers of these files. The caller reads too: a helper that comes late finds nothing left to do. Of several
    /// errors the one of the first file wins, whatever the timing.
    ///
    /// The first file is the caller's own, because it would wait for it anyway.
    ///
    /// @return one for each file, in their order
    /// @throws LoadInterruptedException if the calling thread is interrupted
    List<FileHeader> await(List<Location> files) {
        for (Location file : files.subList(Math.min(1, files.size()), files.size())) {
            begin(file);
        }
        List<FileHeader> headers = new ArrayList<>(files.size());
        try {
            for (Location file : files) {
                FutureTask<FileHeader> read = reads.get(file);
                read = read == null ? task(file) : read;
                if (Thread.interrupted()) {
                    throw new InterruptedException("interrupted between two headers");
                }
                read.run();
                headers.add(read.get());
            }
            return headers;
        } catch (ExecutionException e) {
            throw failure(e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new LoadInterruptedException("the headers", files.getFirst().where());
        }
    }

    /// As it was thrown: reading a header throws nothing that is checked.
    private static RuntimeException failure(@Nullable Throwable cause) {
        return switch (cause) {
            case Error error -> throw error;
            case StorageException e when e.getCause() instanceof ClosedByInterruptException -> {
                // Of the caller's own read: a helper is interrupted when nobody waits for it any more.
                Thread.currentThread().interrupt();
                yield new LoadInterruptedException("the headers", e.where());
            }
            case RuntimeException failure -> failure;
            case null, default -> new IllegalStateException(cause);
        };
    }

    /// Gives up what nobody waits for any more; nothing is open afterwards.
    ///
    /// Helpers that run are interrupted and waited for; where everything was read there is nothing to wait for.
    @Override
    public void close() {
        boolean unfinished = false;
        for (FutureTask<FileHeader> read : reads.values()) {
            // A read that is done is not cancelled.
            unfinished |= read.cancel(true);
        }
        if (unfinished) {
            idle.acquireUninterruptibly(mostHelpers);
        }
    }
}
