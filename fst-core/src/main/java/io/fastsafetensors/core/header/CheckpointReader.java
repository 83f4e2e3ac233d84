package io.fastsafetensors.core.header;

import io.fastsafetensors.api.OpenOptions;
import io.fastsafetensors.core.checkpoint.CheckpointFiles;
import io.fastsafetensors.core.storage.FileBytes;
import io.fastsafetensors.core.storage.SourceFiles;
import io.fastsafetensors.error.FormatError;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.types.Location;
import java.util.List;
import java.util.concurrent.Executor;

/// Opens a checkpoint: reads its index and the headers of its files beside one another, and checks that files and index agree.
public final class CheckpointReader {
    private CheckpointReader() {
    }

    /// Reads and validates all headers; no data is read. Files that the index does not name are never opened. Of several
    /// errors the one of the first file wins, whatever the timing. Thread-safe.
    ///
    /// @param sources opens the files; held by the caller
    /// @throws FormatException if a file or the index breaks the format, or they do not agree
    /// @throws StorageException if one cannot be read
    /// @throws io.fastsafetensors.error.LoadInterruptedException if the calling thread is interrupted
    public static ParsedCheckpoint open(CheckpointFiles files, SourceFiles sources, OpenOptions options) {
        return open(files, sources, options, work -> Thread.ofPlatform().daemon().name("fst-header").start(work));
    }

    /// As [#open(CheckpointFiles, SourceFiles, OpenOptions)].
    ///
    /// @param helpers runs work beside the caller, at once
    public static ParsedCheckpoint open(CheckpointFiles files, SourceFiles sources, OpenOptions options,
            Executor helpers) {
        try (HeaderReads headers = new HeaderReads(sources, options, helpers)) {
            if (files.index().isEmpty()) {
                return new ParsedCheckpoint(files.location(), headers.await(files.files()), sources);
            }
            Location directory = files.directory().orElseThrow();
            ShardIndex index = sources.file(files.index().get()).reading(file -> IndexReader.read(new FileBytes(file),
                    shard -> headers.begin(directory.resolve(shard))));
            ParsedCheckpoint checkpoint = new ParsedCheckpoint(files.location(),
                    await(headers, shards(index, directory), sources.storage(directory)), sources);
            IndexCheck.check(index, checkpoint);
            return checkpoint;
        }
    }

    private static List<Location> shards(ShardIndex index, Location directory) {
        List<Location> shards = index.shards().stream().map(directory::resolve).toList();
        if (shards.isEmpty()) {
            throw new FormatException(FormatError.NO_CHECKPOINT, "weight_map names no shard", index.location().where());
        }
        return shards;
    }

    /// A shard that is not there comes before what is wrong with others. One that is there and cannot be read is not
    /// missing.
    private static List<FileHeader> await(HeaderReads headers, List<Location> shards, Storage storage) {
        try {
            return headers.await(shards);
        } catch (StorageException | FormatException e) {
            for (Location shard : shards) {
                if (storage.kind(shard) == Storage.Kind.ABSENT) {
                    throw new FormatException(FormatError.MISSING_SHARD,
                            "the index names this file, which is not there; download it again", shard.where(), e);
                }
            }
            throw e;
        }
    }
}
