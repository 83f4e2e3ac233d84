package io.fastsafetensors.core.header;

import io.fastsafetensors.api.OpenOptions;
import io.fastsafetensors.core.checkpoint.CheckpointFiles;
import io.fastsafetensors.core.storage.TestSources;
import io.fastsafetensors.types.Location;
import java.nio.file.Path;
import java.util.List;

/// Reads headers of paths, as a call that keeps nothing open does.
final class Opened {
    private Opened() {
    }

    static FileHeader header(Path file, OpenOptions options) {
        return TestSources.reading(file, open -> HeaderReader.read(open, options));
    }

    static ParsedCheckpoint checkpoint(Path path, OpenOptions options) {
        return TestSources.using(sources -> CheckpointReader
                .open(CheckpointFiles.resolve(Location.of(path), sources, options), sources, options));
    }

    static ParsedCheckpoint checkpoint(List<Path> files, OpenOptions options) {
        return TestSources.using(sources -> CheckpointReader
                .open(CheckpointFiles.of(files.stream().map(Location::of).toList(), sources), sources, options));
    }
}
