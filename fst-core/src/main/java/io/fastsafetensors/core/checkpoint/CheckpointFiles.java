package io.fastsafetensors.core.checkpoint;

import io.fastsafetensors.core.storage.SourceFiles;
import io.fastsafetensors.error.FormatError;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.spi.storage.StorageEntry;
import io.fastsafetensors.types.Location;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/// Where a checkpoint lies. Immutable; says nothing of what the files hold.
///
/// @param location the location that was asked for
/// @param index the index that names the shards, if there is one
/// @param directory the directory of the shards; empty if there is no index
/// @param files the files in order, empty where an index names them
public record CheckpointFiles(Location location, Optional<Location> index, Optional<Location> directory,
        List<Location> files) {
    private static final String INDEX_SUFFIX = ".safetensors.index.json";
    private static final String FILE_SUFFIX = ".safetensors";

    /// Copies the list.
    public CheckpointFiles {
        files = List.copyOf(files);
    }

    /// Finds the files of a checkpoint. Symbolic links are followed, and what moves is pinned.
    ///
    /// @param asked a safetensors file, an index (`*.json`), a directory with one index or with safetensors files, or
    ///     a folder of the Hugging Face cache (`models--…`), of which the snapshot of `main` or the only one is taken
    /// @param sources by which the files will be opened
    /// @throws StorageException if there is nothing, or a directory cannot be read
    /// @throws FormatException NoCheckpoint if a directory holds none, InvalidIndex if it holds several indexes
    public static CheckpointFiles resolve(Location asked, SourceFiles sources) {
        Storage storage = sources.storage(asked);
        Location pinned = storage.pin(asked);
        Storage.Kind kind = storage.kind(pinned);
        if (kind == Storage.Kind.DIRECTORY) {
            Optional<CheckpointFiles> found = inDirectory(asked, pinned, storage);
            return found.or(() -> new HubCache(storage, sources).snapshot(pinned)
                    .flatMap(snapshot -> inDirectory(asked, snapshot, storage)))
                    .orElseThrow(() -> new FormatException(FormatError.NO_CHECKPOINT,
                            "no " + FILE_SUFFIX + " file and no index in the directory", asked.where()));
        }
        if (kind == Storage.Kind.ABSENT) {
            throw new StorageException("no such file or directory; check the path", asked.where());
        }
        if (pinned.name().endsWith(".json")) {
            return ofIndex(asked, pinned, pinned.parent());
        }
        return new CheckpointFiles(asked, Optional.empty(), Optional.empty(), List.of(pinned));
    }

    private static CheckpointFiles ofIndex(Location asked, Location index, Optional<Location> directory) {
        if (directory.isEmpty()) {
            throw new StorageException("no directory holds this index, so its shards cannot be found", asked.where());
        }
        return new CheckpointFiles(asked, Optional.of(index), directory, List.of());
    }

    /// A checkpoint of these files in this order; they are not looked at yet.
    ///
    /// @param sources by which the files will be opened
    /// @throws FormatException NoCheckpoint if there are none
    public static CheckpointFiles of(List<Location> files, SourceFiles sources) {
        if (files.isEmpty()) {
            throw new FormatException(FormatError.NO_CHECKPOINT, "an empty list of files", Where.nowhere());
        }
        return new CheckpointFiles(files.getFirst(), Optional.empty(), Optional.empty(),
                files.stream().map(sources::pin).toList());
    }

    private static Optional<CheckpointFiles> inDirectory(Location asked, Location directory, Storage storage) {
        List<Location> entries = list(directory, storage);
        List<Location> indexes = entries.stream().filter(entry -> entry.name().endsWith(INDEX_SUFFIX)).toList();
        if (indexes.size() > 1) {
            List<String> names = indexes.stream().map(Location::name).toList();
            throw new FormatException(FormatError.INVALID_INDEX,
                    "several indexes: " + String.join(", ", names) + "; open the one that is meant",
                    directory.where());
        }
        if (!indexes.isEmpty()) {
            return Optional.of(ofIndex(asked, indexes.getFirst(), Optional.of(directory)));
        }
        return entries.isEmpty() ? Optional.empty()
                : Optional.of(new CheckpointFiles(asked, Optional.empty(), Optional.empty(), entries));
    }

    /// The indexes and files of tensors in a directory, but for hidden ones, by name. A dangling link is among them: opening
    /// it says what is wrong.
    private static List<Location> list(Location directory, Storage storage) {
        return storage.list(directory).stream()
                .filter(entry -> isNamed(entry.name()) && entry.kind() != Storage.Kind.DIRECTORY)
                .map(StorageEntry::location).sorted(Comparator.comparing(Location::name)).toList();
    }

    private static boolean isNamed(String name) {
        return !name.startsWith(".") && (name.endsWith(INDEX_SUFFIX) || name.endsWith(FILE_SUFFIX));
    }
}
