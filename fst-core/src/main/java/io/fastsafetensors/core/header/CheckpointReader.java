package io.fastsafetensors.core.header;

import io.fastsafetensors.api.OpenOptions;
import io.fastsafetensors.core.checkpoint.CheckpointFiles;
import io.fastsafetensors.core.memory.Uninterruptibly;
import io.fastsafetensors.error.FormatError;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.error.Where;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.FutureTask;
import java.util.concurrent.Semaphore;
import org.jspecify.annotations.Nullable;

/// Opens a checkpoint: reads the headers of its files in parallel and checks that files and index agree.
public final class CheckpointReader {
    // More at once is no faster: headers are small, and parsing keeps a core busy.
    private static final int MOST_THREADS = 16;

    private CheckpointReader() {
    }

    /// Reads and validates all headers; no data is read and nothing stays open. Files that the index does not name
    /// are never opened. Of several errors the one of the first file wins, whatever the timing. Thread-safe.
    ///
    /// @throws FormatException if a file or the index breaks the format, or they do not agree
    /// @throws StorageException if one cannot be read, or the calling thread is interrupted
    public static ParsedCheckpoint open(CheckpointFiles files, OpenOptions options) {
        return open(files, options, work -> Thread.ofPlatform().daemon().name("fst-header").start(work));
    }

    /// As [#open(CheckpointFiles, OpenOptions)].
    ///
    /// @param helpers runs work beside the caller, at once
    public static ParsedCheckpoint open(CheckpointFiles files, OpenOptions options, Executor helpers) {
        if (files.index().isEmpty()) {
            return new ParsedCheckpoint(files.path(), readAll(files.files(), options, helpers));
        }
        ShardIndex index = IndexReader.read(files.index().get());
        List<Path> shards = shards(index, files.directory());
        ParsedCheckpoint checkpoint = new ParsedCheckpoint(files.path(), readAll(shards, options, helpers));
        IndexCheck.check(index, checkpoint);
        return checkpoint;
    }

    private static List<Path> shards(ShardIndex index, Path directory) {
        List<Path> shards = new ArrayList<>();
        for (String name : new TreeSet<>(index.weightMap().values())) {
            Path shard = directory.resolve(name);
            if (!Files.exists(shard)) {
                throw new FormatException(FormatError.MISSING_SHARD,
                        "the index names this file, which is not there; download it again", Where.file(shard));
            }
            shards.add(shard);
        }
        if (shards.isEmpty()) {
            throw new FormatException(FormatError.NO_CHECKPOINT, "weight_map names no shard", Where.file(index.path()));
        }
        return shards;
    }

    /// The caller reads too: a helper that comes late finds nothing left to do.
    private static List<FileHeader> readAll(List<Path> files, OpenOptions options, Executor helpers) {
        List<FutureTask<FileHeader>> reads = files.stream()
                .map(file -> new FutureTask<>(() -> HeaderReader.read(file, options))).toList();
        int others = Math.min(files.size(), Math.min(MOST_THREADS, Runtime.getRuntime().availableProcessors())) - 1;
        Semaphore ended = new Semaphore(0);
        for (int i = 0; i < others; i++) {
            helpers.execute(() -> {
                reads.forEach(FutureTask::run);
                ended.release();
            });
        }
        try {
            List<FileHeader> headers = new ArrayList<>(files.size());
            for (FutureTask<FileHeader> read : reads) {
                if (Thread.interrupted()) {
                    throw new InterruptedException("interrupted between two headers");
                }
                read.run();
                headers.add(read.get());
            }
            return headers;
        } catch (ExecutionException e) {
            reads.forEach(other -> other.cancel(true));
            Uninterruptibly.run(() -> ended.acquire(others));
            throw failure(e.getCause());
        } catch (InterruptedException e) {
            reads.forEach(other -> other.cancel(true));
            Uninterruptibly.run(() -> ended.acquire(others));
            Thread.currentThread().interrupt();
            throw new StorageException("interrupted while headers were read", Where.file(files.getFirst()), e);
        }
    }
    // As it was thrown: reading a header throws nothing that is checked.
    private static RuntimeException failure(@Nullable Throwable cause) {
        return switch (cause) {
            case Error error -> throw error;
            case RuntimeException failure -> failure;
            case null, default -> new IllegalStateException(cause);
        };
    }
}
