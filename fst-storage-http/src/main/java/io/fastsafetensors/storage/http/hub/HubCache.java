package io.fastsafetensors.storage.http.hub;

import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.storage.http.wire.Settings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Optional;

/// The cache that the hub's own tools keep, read only: `models--org--name/refs/REVISION` holds a commit, and
/// `models--org--name/snapshots/COMMIT` its files. Immutable.
final class HubCache {
    private static final String COMMIT = "[0-9a-f]{40}";

    private final Path home;
    private final Path folder;

    HubCache(Settings settings) {
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

    @Override
    public String toString() {
        return folder.toString();
    }
}
