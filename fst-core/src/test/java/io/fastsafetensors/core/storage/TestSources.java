package io.fastsafetensors.core.storage;

import io.fastsafetensors.core.linux.ffm.LibC;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.spi.storage.StorageOptions;
import io.fastsafetensors.types.Location;
import java.nio.file.Path;
import java.util.function.Function;

/// The door to files for tests of what reads through it.
public final class TestSources {
    private TestSources() {
    }

    /// Uses files that are closed as soon as nobody uses them.
    public static <T> T using(Function<SourceFiles, T> work) {
        try (Storages storages = Storages.open(StorageOptions.none());
                SourceFiles sources = SourceFiles.closedAtOnce(storages)) {
            return work.apply(sources);
        }
    }

    /// Uses one open file.
    public static <T> T reading(Path path, Function<FileBytes, T> work) {
        return using(sources -> sources.file(Location.of(path)).reading(file -> work.apply(new FileBytes(file))));
    }

    /// An open file, which the caller closes.
    public static StorageFile open(Path path) {
        return LocalStorage.platform().open(Location.of(path));
    }

    /// A file behind these calls.
    public static StorageFile over(LibC calls, Location location) {
        return LocalStorage.over(calls).open(location);
    }
}
