package io.fastsafetensors.core.checkpoint;

import io.fastsafetensors.error.FormatError;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.error.Where;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// The layout of the Hugging Face cache: `models--org--name/refs/main` holds the name of a directory in `snapshots`,
/// whose files are links into `blobs`.
final class HubCache {
    // A commit's hash and a line feed; whatever is longer is no reference.
    private static final int LONGEST_REFERENCE = 256;

    private HubCache() {
    }

    /// The snapshot that `main` means, or the only one; empty if this is no folder of the cache.
    static Optional<Path> snapshot(Path folder) {
        Path snapshots = folder.resolve("snapshots");
        if (!Files.isDirectory(snapshots)) {
            return Optional.empty();
        }
        List<Path> all = directories(snapshots);
        Optional<String> main = main(folder.resolve("refs").resolve("main"));
        // Compared with what is there, never resolved: a reference is text from outside.
        Optional<Path> named = all.stream()
                .filter(snapshot -> main.isPresent() && main.get().equals(String.valueOf(snapshot.getFileName())))
                .findFirst();
        if (named.isPresent()) {
            return named;
        }
        if (all.size() != 1) {
            throw new FormatException(FormatError.NO_CHECKPOINT,
                    all.size() + " snapshots and no refs/main that names one of them; open a snapshot's directory",
                    Where.file(folder));
        }
        return Optional.of(all.getFirst());
    }

    private static Optional<String> main(Path reference) {
        if (!Files.isRegularFile(reference)) {
            return Optional.empty();
        }
        try (InputStream in = Files.newInputStream(reference)) {
            return Optional.of(new String(in.readNBytes(LONGEST_REFERENCE), StandardCharsets.ISO_8859_1).strip());
        } catch (IOException e) {
            throw new StorageException("cannot read the reference: " + e, Where.file(reference), e);
        }
    }

    private static List<Path> directories(Path parent) {
        List<Path> found = new ArrayList<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(parent, Files::isDirectory)) {
            entries.forEach(found::add);
        } catch (IOException | DirectoryIteratorException e) {
            throw new StorageException("cannot list the directory: " + e.getMessage(), Where.file(parent), e);
        }
        return found;
    }
}
