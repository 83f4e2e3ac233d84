package io.fastsafetensors.core.checkpoint;

import io.fastsafetensors.core.storage.FileBytes;
import io.fastsafetensors.core.storage.SourceFiles;
import io.fastsafetensors.error.FormatError;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.spi.storage.StorageEntry;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.types.Location;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;

/// The layout of the Hugging Face cache: `models--org--name/refs/main` holds the name of a directory in `snapshots`,
/// whose files are links into `blobs`.
///
/// @param storage where the cache is
/// @param sources opens the reference
record HubCache(Storage storage, SourceFiles sources) {
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
