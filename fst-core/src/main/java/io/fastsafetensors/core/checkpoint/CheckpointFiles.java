package io.fastsafetensors.core.checkpoint;

import io.fastsafetensors.api.OpenOptions;
import io.fastsafetensors.core.storage.FileBytes;
import io.fastsafetensors.core.storage.SourceFiles;
import io.fastsafetensors.error.FormatError;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.error.Printable;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.spi.storage.StorageEntry;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.types.Location;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/// The files of a checkpoint. Immutable; says nothing of their content, and need not be closed: finding them opens none but
/// the references of a Hugging Face cache.
///
/// @param location the location that was asked for
/// @param index the index that names the shards, if there is one
/// @param directory the directory of the shards; empty if there is no index
/// @param files the files in order, empty where an index names them
/// @param others other files of tensors, and indexes, of the directory that was asked for; with an index its shards are
///     among them
public record CheckpointFiles(Location location, Optional<Location> index, Optional<Location> directory,
        List<Location> files, List<Location> others) {
    private static final int MOST_NAMED = 8;

    /// Copies the lists.
    public CheckpointFiles {
        files = List.copyOf(files);
        others = List.copyOf(others);
    }

    /// Finds the files of a checkpoint. Symbolic links are followed, and what moves is pinned.
    ///
    /// @param asked a safetensors file, an index (`*.json`), a directory with an index or with safetensors files, or
    ///     a folder of the Hugging Face cache (`models--…`), of which the snapshot of `main` or the only one is taken
    /// @param sources by which the files will be opened
    /// @param options which variant is meant
    /// @throws StorageException if there is nothing, or a directory cannot be read
    /// @throws FormatException NoCheckpoint if a directory holds none, AmbiguousCheckpoint if it holds several and none goes
    ///     before the others, MissingShard if a shard of it is not there
    public static CheckpointFiles resolve(Location asked, SourceFiles sources, OpenOptions options) {
        Storage storage = sources.storage(asked);
        Location pinned = storage.pin(asked);
        Storage.Kind kind = storage.kind(pinned);
        if (kind == Storage.Kind.DIRECTORY) {
            return ofDirectory(asked, pinned, storage, sources, options.variant());
        }
        if (kind == Storage.Kind.ABSENT) {
            throw new StorageException("no such file or directory; check the path", asked.where());
        }
        if (pinned.name().endsWith(".json")) {
            return ofIndex(asked, pinned, pinned.parent(), List.of());
        }
        return new CheckpointFiles(asked, Optional.empty(), Optional.empty(), List.of(pinned), List.of());
    }

    private static CheckpointFiles ofIndex(Location asked, Location index, Optional<Location> directory,
            List<Location> others) {
        if (directory.isEmpty()) {
            throw new StorageException("no directory holds this index, so its shards cannot be found", asked.where());
        }
        return new CheckpointFiles(asked, Optional.of(index), directory, List.of(), others);
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
                files.stream().map(sources::pin).toList(), List.of());
    }

    /// The directory itself goes before a snapshot in it: a folder that holds both is somebody's own.
    private static CheckpointFiles ofDirectory(Location asked, Location directory, Storage storage,
            SourceFiles sources, Optional<String> variant) {
        List<StorageEntry> entries = storage.list(directory);
        Optional<CheckpointFiles> found = among(entries, asked, directory, variant);
        if (found.isPresent()) {
            return found.get();
        }
        Optional<Location> snapshot = new HubCache(storage, sources).snapshot(directory);
        if (snapshot.isPresent()) {
            entries = storage.list(snapshot.get());
            found = among(entries, asked, snapshot.get(), variant);
        }
        List<StorageEntry> held = entries;
        return found.orElseThrow(() -> new FormatException(FormatError.NO_CHECKPOINT,
                "no " + CheckpointName.SUFFIX + " file and no index in the directory"
                        + DirectoryChoice.insteadOfCheckpoint(held, storage),
                asked.where()));
    }

    /// A dangling link is among the entries: opening it says what is wrong.
    ///
    /// @return empty if no name in the directory is one of a checkpoint's
    /// @throws FormatException if there are some and none is of the variant, or none goes before the others
    private static Optional<CheckpointFiles> among(List<StorageEntry> entries, Location asked, Location directory,
            Optional<String> variant) {
        List<CheckpointName> all = parse(entries, Optional.empty());
        if (all.isEmpty()) {
            return Optional.empty();
        }
        List<CheckpointName> names = variant.isEmpty() ? all : parse(entries, variant);
        if (names.isEmpty()) {
            throw new FormatException(FormatError.NO_CHECKPOINT, "no file of variant \""
                    + Printable.escape(variant.orElseThrow()) + "\" in the directory, which holds "
                    + all.stream().limit(MOST_NAMED).map(name -> Printable.escape(name.name()))
                            .collect(Collectors.joining(", "))
                    + (all.size() > MOST_NAMED ? ", …" : ""), asked.where());
        }
        List<CheckpointName> chosen = DirectoryChoice.choose(directory, names);
        List<Location> files = chosen.stream().map(CheckpointName::location).toList();
        Set<Location> taken = new HashSet<>(files);
        List<Location> others =
                all.stream().map(CheckpointName::location).filter(file -> !taken.contains(file)).toList();
        return Optional.of(chosen.getFirst().isIndex()
                ? ofIndex(asked, files.getFirst(), Optional.of(directory), others)
                : new CheckpointFiles(asked, Optional.empty(), Optional.empty(), files, others));
    }

    /// The entries whose names are those of a checkpoint's files, by name, because storages list in any order.
    ///
    /// Names that are not a checkpoint's (unfinished downloads, sidecars) are not among them.
    private static List<CheckpointName> parse(List<StorageEntry> entries, Optional<String> variant) {
        List<CheckpointName> names = new ArrayList<>();
        for (StorageEntry entry : entries) {
            CheckpointName name = entry.kind() == Storage.Kind.DIRECTORY ? null
                    : CheckpointName.parse(entry.location(), variant);
            if (name != null) {
                names.add(name);
            }
        }
        names.sort(Comparator.comparing(CheckpointName::name));
        return names;
    }

    /// The layout of the Hugging Face cache: `models--org--name/refs/main` holds the name of a directory in `snapshots`,
    /// whose files are links into `blobs`.
    ///
    /// @param storage where the cache is
    /// @param sources opens the reference
    private record HubCache(Storage storage, SourceFiles sources) {
        /// A commit's hash and a line feed; whatever is longer is no reference.
        private static final int LONGEST_REFERENCE = 256;

        /// The snapshot that `main` means, or the only one; empty if this is no folder of the cache.
        Optional<Location> snapshot(Location folder) {
            Location snapshots = folder.resolve("snapshots");
            if (storage.kind(snapshots) != Storage.Kind.DIRECTORY) {
                return Optional.empty();
            }
            List<Location> all = storage.list(snapshots).stream()
                    .filter(entry -> entry.kind() == Storage.Kind.DIRECTORY).map(StorageEntry::location).toList();
            Optional<String> main = main(folder.resolve("refs").resolve("main"));
            // Compared with what is there, never resolved: a reference is text from outside.
            Optional<Location> named = all.stream()
                    .filter(snapshot -> main.isPresent() && main.get().equals(snapshot.name())).findFirst();
            if (named.isPresent()) {
                return named;
            }
            if (all.size() != 1) {
                throw new FormatException(FormatError.NO_CHECKPOINT,
                        all.size() + " snapshots and no refs/main that names one of them; open a snapshot's directory",
                        folder.where());
            }
            return Optional.of(all.getFirst());
        }

        /// The content of `refs/main`; empty where a snapshot was downloaded by its hash alone.
        private Optional<String> main(Location reference) {
            return storage.kind(reference) == Storage.Kind.FILE
                    ? Optional.of(sources.file(reference).reading(HubCache::text))
                    : Optional.empty();
        }

        private static String text(StorageFile file) {
            return new String(new FileBytes(file).beginning(LONGEST_REFERENCE), StandardCharsets.ISO_8859_1).strip();
        }
    }
}
