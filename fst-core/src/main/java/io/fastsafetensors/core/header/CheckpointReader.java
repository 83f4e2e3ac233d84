package io.fastsafetensors.core.header;

import io.fastsafetensors.api.OpenOptions;
import io.fastsafetensors.core.checkpoint.CheckpointFiles;
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
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
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
        if (files.index().isEmpty()) {
            return new ParsedCheckpoint(files.path(), readAll(files.files(), options));
        }
        ShardIndex index = IndexReader.read(files.index().get());
        List<Path> shards = shards(index, files.directory());
        ParsedCheckpoint checkpoint = new ParsedCheckpoint(files.path(), readAll(shards, options));
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

    private static List<FileHeader> readAll(List<Path> files, OpenOptions options) {
        int threads = Math.min(files.size(), Math.min(MOST_THREADS, Runtime.getRuntime().availableProcessors()));
        if (threads <= 1) {
            return files.stream().map(file -> HeaderReader.read(file, options)).toList();
        }
        try (ExecutorService readers = Executors.newFixedThreadPool(threads,
                Thread.ofPlatform().daemon().name("fst-header-", 0).factory())) {
            List<Future<FileHeader>> reads = files.stream()
                    .map(file -> readers.submit(() -> HeaderReader.read(file, options))).toList();
            try {
                List<FileHeader> headers = new ArrayList<>();
                for (Future<FileHeader> read : reads) {
                    if (Thread.interrupted()) {
                        throw new InterruptedException("interrupted between two headers");
                    }
                    headers.add(read.get());
                }
                return headers;
            } catch (ExecutionException e) {
                readers.shutdownNow();
                throw failure(e.getCause());
            } catch (InterruptedException e) {
                readers.shutdownNow();
                Thread.currentThread().interrupt();
                throw new StorageException("interrupted while headers were read", Where.file(files.getFirst()), e);
            }
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
