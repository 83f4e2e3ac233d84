package io.fastsafetensors.tests.load;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.fastsafetensors.api.Loader;
import io.fastsafetensors.testkit.fault.FaultPlan;
import io.fastsafetensors.testkit.fault.OpenObjects;
import io.fastsafetensors.testkit.group.ShardSample;
import io.fastsafetensors.testkit.leak.LeakExtension;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/// The fixture of tests that load by several ranks: a sample, a remote device without faults, and the check that nothing is
/// left.
abstract class RankLoads {
    static final long SEED = Long.getLong("fst.seed", 20261123);

    @TempDir
    static Path directory;
    static ShardSample sample;

    @RegisterExtension
    final LeakExtension leaks = LeakExtension.strict().memoryTolerance(400L << 20);
    OpenObjects objects = new OpenObjects();

    @BeforeAll
    static void write() {
        sample = new ShardSample(directory.resolve("all"), SEED, Loader::builder);
    }

    @BeforeEach
    void wellBehaved() {
        objects = RemoteProvider.behave(FaultPlan.seeded(SEED));
    }

    @AfterEach
    void nothingIsLeft() {
        assertEquals(Map.of(), objects.counts(), () -> objects.describe());
    }
}
