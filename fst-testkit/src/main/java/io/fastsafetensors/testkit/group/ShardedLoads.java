package io.fastsafetensors.testkit.group;

import io.fastsafetensors.api.Distribution;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.testkit.fixture.Seed;
import io.fastsafetensors.types.Device;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/// [ShardingCalls] in every way, on a checkpoint that each rank writes for itself. Needs fst-core on the path.
public final class ShardedLoads {
    private static final int BLOCK = 8192;

    private ShardedLoads() {
    }

    /// One rank's part.
    ///
    /// @param group not closed here
    /// @param device where the rank loads to
    /// @throws AssertionError if a call gave something else than slicing gives
    public static void run(ProcessGroup group, Device device) throws IOException {
        Path directory = Files.createTempDirectory("fst-shared-loads");
        try {
            ShardSample sample = new ShardSample(directory.resolve("sample"), Seed.value(),
                    () -> Loader.builder().device(device));
            ShardingCalls calls = new ShardingCalls(sample, group,
                    () -> Loader.builder().device(device).group(group).blockBytes(BLOCK));
            for (Distribution way : List.of(Distribution.LOCAL, Distribution.STRIPED, Distribution.OWNER)) {
                calls.all(way);
            }
        } finally {
            delete(directory);
        }
    }

    private static void delete(Path directory) throws IOException {
        try (Stream<Path> tree = Files.walk(directory)) {
            for (Path path : tree.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(path);
            }
        }
    }
}
