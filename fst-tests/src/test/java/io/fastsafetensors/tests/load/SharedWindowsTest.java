package io.fastsafetensors.tests.load;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Distribution;
import io.fastsafetensors.api.LoadStats;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.ShardSpec;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.testkit.fault.FaultPlan;
import io.fastsafetensors.testkit.fixture.SafetensorsFixture;
import io.fastsafetensors.testkit.group.ShardSamples;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// The bytes that ranks move at a time, and those that they read for it.
@Timeout(60)
class SharedWindowsTest {
    private static final String WINDOW = "fst.exchangeBytes";
    private static final long SEED = Long.getLong("fst.seed", 20261130);

    @TempDir
    private Path directory;
    private final List<Path> files = new ArrayList<>();
    private final Map<String, byte[]> expected = new HashMap<>();

    @BeforeEach
    void write() {
        RemoteProvider.behave(FaultPlan.seeded(SEED));
        for (int f = 0; f < 3; f++) {
            SafetensorsFixture file = SafetensorsFixture.create();
            for (int t = 0; t < 6; t++) {
                file.tensor("t" + f + "." + t, DType.BF16, Shape.of(64, 397 + 8 * t), SEED + f * 10 + t);
            }
            files.add(file.write(directory.resolve("m" + f + ".safetensors")).path());
        }
        try (Loader loader = Loader.builder().build(); Weights weights = loader.load(files)) {
            weights.names().forEach(name -> expected.put(name, ShardSamples.bytes(weights.get(name))));
        }
    }

    @AfterEach
    void usual() {
        System.clearProperty(WINDOW);
    }

    /// A group that counts what it moves in one operation.
    private static ProcessGroup counting(ProcessGroup group, AtomicInteger operations) {
        return (ProcessGroup) Proxy.newProxyInstance(ProcessGroup.class.getClassLoader(),
                new Class<?>[] {ProcessGroup.class}, (_, method, arguments) -> {
                    if (List.of("allGather", "broadcast", "scatter", "send").contains(method.getName())) {
                        operations.incrementAndGet();
                    }
                    try {
                        return method.invoke(group, arguments);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }

    private int operations(String device, int ranks, int blockBytes) {
        AtomicInteger operations = new AtomicInteger();
        Ranks.all(ranks, group -> {
            try (Loader loader = Ranks.builder(device, counting(group, operations)).blockBytes(blockBytes)
                    .distribution(Distribution.STRIPED).build(); Weights weights = loader.load(files)) {
                expected.forEach(
                        (name, bytes) -> assertArrayEquals(bytes, ShardSamples.bytes(weights.get(name)), name));
                weights.awaitAll();
                return true;
            }
        });
        assertEquals(0, operations.get() % ranks);
        return operations.get() / ranks;
    }

    @ParameterizedTest
    @ValueSource(strings = {"cpu", "remote"})
    void a_checkpoint_needs_as_many_operations_whatever_its_blocks_are(String device) {
        for (int blockBytes : new int[] {4096, 16_384, 65_536}) {
            assertEquals(1, operations(device, 2, blockBytes), "blocks of " + blockBytes);
        }
        System.setProperty(WINDOW, "200000");
        int some = operations(device, 2, 4096);
        assertTrue(some > 4 && some < 9, some + " operations");
        assertTrue(Math.abs(operations(device, 2, 16_384) - some) <= 1);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 5000, 40_000, 300_000})
    void every_rank_has_the_files_bytes_whatever_moves_at_a_time(int window) {
        System.setProperty(WINDOW, Integer.toString(window));
        for (int ranks : new int[] {2, 3, 5}) {
            for (String device : List.of("cpu", "remote")) {
                assertTrue(operations(device, ranks, 8192) > 0);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"cpu", "remote"})
    void shards_of_inner_dimensions_read_what_they_want_and_no_more(String device) {
        Path file = SafetensorsFixture.create().tensor("w", DType.BF16, Shape.of(256, 8192), SEED)
                .tensor("n", DType.BF16, Shape.of(300), SEED + 1).write(directory.resolve("rows.safetensors")).path();
        for (DType dtype : new DType[] {DType.BF16, DType.F32}) {
            byte[] whole;
            try (Loader loader = Loader.builder().dtype(dtype).build(); Weights weights = loader.load(file)) {
                whole = ShardSamples.bytes(weights.get("w"));
            }
            int row = whole.length / 256;
            List<LoadStats> all = Ranks.all(4, group -> {
                LoaderBuilder builder = Ranks.builder(device, group).blockBytes(1 << 20).dtype(dtype)
                        .shards(ShardSpec.of(Map.of("w", 1)));
                try (Loader loader = builder.build(); Weights weights = loader.load(file)) {
                    byte[] part = ShardSamples.bytes(weights.getSharded("w", 1));
                    assertEquals(whole.length / 4, part.length);
                    for (int r = 0; r < 256; r++) {
                        int from = r * row + group.rank() * row / 4;
                        assertEquals(-1, Arrays.mismatch(whole, from, from + row / 4, part, r * row / 4,
                                (r + 1) * row / 4), "row " + r);
                    }
                    weights.awaitAll();
                    return weights.stats();
                }
            });
            for (LoadStats stats : all) {
                Assumptions.assumeTrue(stats.bytesFromCache() == stats.bytesRead(), "the page cache tells what it has");
                assertTrue(stats.bytesRead() <= stats.bytes() * 1.05, stats.bytesRead() + " of " + stats.bytes());
            }
        }
    }
}
