package io.fastsafetensors.tests.load;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Distribution;
import io.fastsafetensors.api.GetOptions;
import io.fastsafetensors.api.LoadPlan;
import io.fastsafetensors.api.LoadStats;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.error.TensorNotFoundException;
import io.fastsafetensors.testkit.fault.OpenObjects;
import io.fastsafetensors.testkit.fixture.Content;
import io.fastsafetensors.testkit.group.ShardSamples;
import io.fastsafetensors.testkit.group.ShardingCalls;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Location;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/// Loads by several ranks: whatever the way, each rank has what slicing the whole tensor gives.
@Timeout(600)
class SharedLoadTest extends RankLoads {
    /// Every way there is without a specification: who asks decides.
    static Stream<Arguments> ways() {
        return Stream.of(Distribution.LOCAL, Distribution.STRIPED, Distribution.OWNER)
                .flatMap(way -> Stream.of("cpu", "remote")
                        .flatMap(device -> Stream.of(1, 2, 3, 4, 7).map(size -> Arguments.of(way, device, size))));
    }

    @ParameterizedTest
    @MethodSource("ways")
    @Tag("slow")
    void every_sharding_call_gives_what_slicing_gives(Distribution way, String device, int size) {
        Ranks.all(size, group -> {
            new ShardingCalls(sample, group, () -> Ranks.builder(device, group)).all(way);
            return true;
        });
    }

    private static Map<String, String> digests(Weights weights, Map<String, Tensor> tensors) {
        Map<String, String> digests = new TreeMap<>();
        tensors.forEach((name, tensor) -> digests.put(name, Content.sha256(ShardSamples.bytes(tensor))));
        assertEquals(weights.names(), tensors.keySet());
        return digests;
    }

    private static Map<String, Tensor> everything(Weights weights) {
        Map<String, Integer> dims = new LinkedHashMap<>();
        weights.names().forEach(name -> dims.put(name, -1));
        return weights.getAll(dims);
    }

    @Test
    void a_hundred_tensors_are_the_same_on_every_rank_in_every_way() {
        Path hundred = ShardSamples.hundred(directory.resolve("hundred"), SEED);
        Map<String, String> expected;
        long bytes;
        try (Loader loader = Loader.builder().build(); Weights weights = loader.load(hundred)) {
            expected = digests(weights, everything(weights));
            bytes = weights.checkpoint().byteSize();
        }
        assertEquals(100, expected.size());
        for (String device : List.of("cpu", "remote")) {
            for (Distribution way : Distribution.values()) {
                for (int size : new int[] {2, 3, 7}) {
                    List<LoadStats> stats = Ranks.all(size, group -> {
                        try (Loader loader = Ranks.builder(device, group).distribution(way).build();
                                Weights weights = loader.load(hundred)) {
                            assertEquals(expected, digests(weights, everything(weights)), way + " on " + device);
                            assertEquals(way == Distribution.AUTO ? Distribution.STRIPED : way,
                                    weights.plan().sharing().orElseThrow().distribution());
                            assertTrue(weights.plan().describe()
                                    .startsWith("rank " + group.rank() + " of " + size + ", "),
                                    weights.plan().describe());
                            return weights.stats();
                        }
                    });
                    checkTraffic(stats, way, bytes, device + " " + way + " " + size);
                }
            }
        }
    }

    private static void checkTraffic(List<LoadStats> stats, Distribution way, long bytes, String message) {
        long read = stats.stream().mapToLong(LoadStats::bytesRead).sum();
        long received = stats.stream().mapToLong(LoadStats::bytesReceived).sum();
        if (way == Distribution.LOCAL) {
            assertEquals(0, received, message);
            assertTrue(read >= bytes * stats.size(), message);
        } else {
            // Once, with whole pages around and the bytes between small files' tensors.
            assertTrue(read >= bytes && read < bytes + bytes / 2, message + ": " + read + " of " + bytes);
            long all = bytes * (stats.size() - 1);
            assertTrue(received >= all && received <= all + all / 10, message + ": " + received + " of " + all);
        }
    }

    @Test
    void files_are_read_by_the_ranks_they_were_given_to() {
        List<Location> files;
        try (Loader loader = Loader.builder().build(); Weights weights = loader.load(sample.checkpoint())) {
            files = weights.checkpoint().files();
        }
        Ranks.all(3, group -> {
            Map<Integer, List<Location>> given = Map.of(2, files.subList(0, 2), 0, files.subList(2, 3));
            try (Loader loader = Ranks.builder("remote", group).build(); Weights weights = loader.loadFiles(given)) {
                assertEquals(Distribution.OWNER, weights.plan().sharing().orElseThrow().distribution());
                weights.awaitAll();
                assertEquals(group.rank() == 1, weights.stats().bytesRead() == 0);
                assertEquals(sample.infos().keySet(), weights.names());
                everything(weights).forEach(
                        (name, tensor) -> assertArrayEquals(sample.whole(name), ShardSamples.bytes(tensor), name));
                return true;
            }
        });
    }

    @Test
    void an_owner_frees_a_file_when_its_last_tensor_was_handed_out() {
        Ranks.all(2, group -> {
            try (Loader loader = Ranks.builder("remote", group).distribution(Distribution.OWNER).build();
                    Weights weights = loader.load(sample.checkpoint())) {
                weights.awaitAll();
                group.barrier();
                long before = objects.count(OpenObjects.Kind.BUFFER);
                group.barrier();
                for (String name : weights.names()) {
                    weights.getSharded(name, -1).close();
                    // Once more, while its file is still there.
                    if (!name.equals("wide") && !name.equals("deep") && !name.equals("scalar")) {
                        weights.getSharded(name, -1).close();
                    }
                }
                group.barrier();
                assertEquals(3, before);
                assertEquals(0, objects.count(OpenObjects.Kind.BUFFER), () -> objects.describe());
                TensorNotFoundException e = assertThrows(TensorNotFoundException.class, () -> weights.get("wide"));
                assertTrue(e.getMessage().contains("was handed out"), e.getMessage());
                return true;
            }
        });
    }

    @ParameterizedTest
    @EnumSource(value = Distribution.class, names = {"LOCAL", "STRIPED", "OWNER"})
    void device_and_dtype_can_be_said_for_each_call(Distribution way) {
        Ranks.all(2, group -> {
            try (Loader loader = Ranks.builder("remote", group).distribution(way).build();
                    Weights weights = loader.load(sample.checkpoint())) {
                Tensor near = weights.getSharded("wide", 0, new GetOptions(Optional.of(Device.CPU),
                        Optional.of(DType.F32)));
                assertEquals(Device.CPU, near.device());
                assertEquals(DType.F32, near.dtype());
                assertArrayEquals(sample.converted("wide", 0, DType.F32, group), ShardSamples.bytes(near));
                // Where a tensor goes is each rank's own business.
                GetOptions options = group.rank() == 0 ? GetOptions.on(Device.CPU) : GetOptions.asLoaded();
                assertArrayEquals(sample.whole("deep"), ShardSamples.bytes(weights.get("deep", options)));
                return true;
            }
        });
    }

    @Test
    void two_loads_of_one_group_take_turns() {
        Ranks.all(3, group -> {
            try (Loader loader = Ranks.builder("remote", group).build();
                    Weights first = loader.load(sample.checkpoint());
                    Weights second = loader.load(sample.checkpoint())) {
                first.awaitAll();
                second.awaitAll();
                for (String name : List.of("wide", "deep", "F16.0")) {
                    assertArrayEquals(sample.whole(name), ShardSamples.bytes(first.get(name)));
                    assertArrayEquals(sample.whole(name), ShardSamples.bytes(second.get(name)));
                }
                return true;
            }
        });
    }

    @Test
    void ranks_on_devices_of_two_kinds_share_a_load() {
        Ranks.all(4, group -> {
            try (Loader loader = Ranks.builder(group.rank() % 2 == 0 ? "cpu" : "remote", group).alignment(256)
                    .distribution(Distribution.OWNER).build(); Weights weights = loader.load(sample.checkpoint())) {
                for (String name : weights.names()) {
                    assertArrayEquals(sample.whole(name), ShardSamples.bytes(weights.get(name)), name);
                }
                return true;
            }
        });
    }

    @Test
    void a_plan_is_made_together_too() {
        Ranks.all(2, group -> {
            try (Loader loader = Ranks.builder("cpu", group).build()) {
                LoadPlan plan = loader.plan(sample.checkpoint());
                assertEquals(Distribution.STRIPED, plan.sharing().orElseThrow().distribution());
                assertTrue(plan.describe().contains("every byte is read once"), plan.describe());
                return true;
            }
        });
    }
}
