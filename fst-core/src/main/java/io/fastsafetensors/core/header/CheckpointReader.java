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
import java.util.concurrent.Executor;

/// Opens a checkpoint: reads its index and the headers of its files beside one another, and checks that files and index agree.
public final class CheckpointReader {
    private CheckpointReader() {
    }

    /// Reads and validates all headers; no data is read and nothing stays open. Files that the index does not name
    /// are never opened. Of several errors the one of the first file wins, whatever the timing. Thread-safe.
    ///
    /// @throws FormatException if a file or the index breaks the format, or they do not agree
    /// @throws StorageException if one cannot be read
    /// @throws io.fastsafetensors.error.LoadInterruptedException if the calling thread is interrupted
    public static ParsedCheckpoint open(CheckpointFiles files, OpenOptions options) {
        return open(files, options, work -> Thread.ofPlatform().daemon().name("fst-header").start(work));
    }

    /// As [#open(CheckpointFiles, OpenOptions)].
    ///
    /// @param helpers runs work beside the caller, at once
    public static ParsedCheckpoint open(CheckpointFiles files, OpenOptions options, Executor helpers) {
        try (HeaderReads headers = new HeaderReads(options, helpers)) {
            if (files.index().isEmpty()) {
                return new ParsedCheckpoint(files.path(), headers.await(files.files()));
            }
            ShardIndex index = IndexReader.read(files.index().get(),
                    shard -> headers.begin(files.directory().resolve(shard)));
            ParsedCheckpoint checkpoint = new ParsedCheckpoint(files.path(),
                    headers.await(shards(index, files.directory())));
            IndexCheck.check(index, checkpoint);
            return checkpoint;
        }
    }

    private static List<Path> shards(ShardIndex index, Path directory) {
        List<Path> shards = new ArrayList<>();
        for (String name : index.shards()) {
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
}
