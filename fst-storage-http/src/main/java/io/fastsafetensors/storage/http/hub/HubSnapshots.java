package io.fastsafetensors.storage.http.hub;

import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.storage.http.wire.HttpSettings;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;

/// The cache that the hub's own tools keep: `models--org--name/blobs` holds contents by their digests, `snapshots/COMMIT` links
/// to them by the names of a commit's files, and `refs/REVISION` holds the commit that a revision named. Immutable.
final class HubSnapshots {
    private static final String COMMIT = "[0-9a-f]{40}";

    private final Path home;
    private final Path folder;

    HubSnapshots(HttpSettings settings) {
        this.home = settings.variable("HF_HOME").map(Path::of)
                .orElseGet(() -> settings.variable("XDG_CACHE_HOME").map(Path::of)
                        .orElseGet(() -> settings.home().resolve(".cache")).resolve("huggingface"));
        this.folder = settings.text("hf.cache", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE").map(Path::of)
                .orElseGet(() -> home.resolve("hub"));
    }

    /// Where the hub's tools keep what is the user's, such as the token.
    Path home() {
        return home;
    }

    private Path repository(HubPlace place) {
        return folder.resolve("models--" + place.repository().replace("/", "--"));
    }

    /// The commit that a revision named when it was fetched.
    Optional<String> commit(HubPlace place) {
        if (place.isPinned()) {
            return Optional.of(place.revision());
        }
        Path ref = repository(place).resolve("refs").resolve(place.revision());
        try {
            return Files.isRegularFile(ref)
                    ? Optional.of(Files.readString(ref).strip()).filter(text -> text.matches(COMMIT))
                    : Optional.empty();
        } catch (IOException e) {
            throw new StorageException("cannot read the cache's revision (" + e.getClass().getSimpleName() + ")",
                    Where.file(ref));
        }
    }

    /// The directory of a pinned place's commit, if it is there.
    Optional<Path> root(HubPlace place) {
        return Optional.of(snapshot(place)).filter(Files::isDirectory);
    }

    private Path snapshot(HubPlace place) {
        return repository(place).resolve("snapshots").resolve(place.revision());
    }

    /// Where the file or directory of a pinned place is, if it is there.
    Optional<Path> find(HubPlace place) {
        try {
            Path found = snapshot(place).resolve(place.path());
            return Files.exists(found) ? Optional.of(found) : Optional.empty();
        } catch (InvalidPathException _) {
            return Optional.empty();
        }
    }

    /// For files that are not whole yet: next to the cache, because its tools do not know them, and on the same file system
    /// in most cases, so that whole ones need no copying.
    Path parts() {
        Path name = folder.getFileName();
        return folder.toAbsolutePath().resolveSibling((name == null ? "hub" : name.toString()) + "-parts");
    }

    /// Adds a whole file of a pinned place.
    ///
    /// @param blob the name of its content
    /// @param copy its content; linked, or copied where that cannot be
    /// @param revisions those that named the commit
    void add(HubPlace place, String blob, Path copy, List<String> revisions) throws IOException {
        Path repository = repository(place);
        Path content = Files.createDirectories(repository.resolve("blobs")).resolve(blob);
        if (!Files.exists(content)) {
            link(content, copy);
        }
        Path name = snapshot(place).resolve(place.path());
        Path directory = Objects.requireNonNull(name.getParent(), "a file has a directory");
        Files.createDirectories(directory);
        if (!Files.exists(name)) {
            replace(name, temporary -> Files.createSymbolicLink(temporary, directory.relativize(content)));
        }
        for (String revision : revisions) {
            Path ref = repository.resolve("refs").resolve(revision);
            Files.createDirectories(Objects.requireNonNull(ref.getParent(), "a ref has a directory"));
            replace(ref, temporary -> Files.writeString(temporary, place.revision()));
        }
    }

    private static void link(Path content, Path copy) throws IOException {
        try {
            Files.createLink(content, copy);
        } catch (FileAlreadyExistsException _) {
            // Another process was quicker.
        } catch (UnsupportedOperationException | IOException _) {
            // Another file system, or one without links.
            replace(content, temporary -> Files.copy(copy, temporary));
        }
    }

    private interface Making {
        void make(Path temporary) throws IOException;
    }

    private static void replace(Path target, Making making) throws IOException {
        Path temporary = target.resolveSibling(target.getFileName() + "."
                + Long.toHexString(ThreadLocalRandom.current().nextLong()) + ".incomplete");
        try {
            making.make(temporary);
            Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
        } finally {
            Files.deleteIfExists(temporary);
        }
    }

    @Override
    public String toString() {
        return folder.toString();
    }
}
