package io.fastsafetensors.backend.cpu.load;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Distribution;
import io.fastsafetensors.api.GetOptions;
import io.fastsafetensors.api.LoadPlan;
import io.fastsafetensors.api.LoadStats;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.ShardSpec;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.TensorStream;
import io.fastsafetensors.api.TransferPath;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.error.SliceException;
import io.fastsafetensors.error.TensorNotFoundException;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.testkit.fault.FaultPlan;
import io.fastsafetensors.testkit.fault.OpenObjects;
import io.fastsafetensors.testkit.fixture.Content;
import io.fastsafetensors.testkit.leak.LeakExtension;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Shape;
import io.fastsafetensors.types.TensorInfo;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/// Loads by several ranks: whatever the way, each rank has what slicing the whole tensor gives.
@Timeout(120)
class SharedLoadTest {
    private static final long SEED = Long.getLong("fst.seed", 20261123);

    @TempDir
    static Path directory;
    private static Path checkpoint;
    private static Map<String, TensorInfo> infos;
    private static Map<String, byte[]> whole;
    private static final Map<String, byte[]> CONVERTED = new ConcurrentHashMap<>();

    @RegisterExtension
    final LeakExtension leaks = LeakExtension.strict().memoryTolerance(400L << 20);
    private OpenObjects objects = new OpenObjects();

    @BeforeEach
    void wellBehaved() {
        objects = RemoteProvider.behave(FaultPlan.seeded(SEED));
        if (checkpoint == null) {
            checkpoint = ShardSamples.everyDType(directory.resolve("all"), SEED);
            infos = new LinkedHashMap<>();
            try (Loader loader = Loader.builder().build(); Weights weights = loader.load(checkpoint)) {
                whole = ShardSamples.all(weights);
                weights.names().forEach(name -> infos.put(name, weights.info(name)));
            }
        }
    }

    @AfterEach
    void nothingIsLeft() {
        assertEquals(Map.of(), objects.counts(), () -> objects.describe());
    }

    static LoaderBuilder builder(String device, ProcessGroup group) {
        return Loader.builder().device(device.equals("cpu") ? Device.CPU : RemoteProvider.DEVICE).group(group)
                .blockBytes(8192);
    }

    private static byte[] expected(String name, int dim, ProcessGroup group) {
        TensorInfo info = infos.get(name);
        return ShardSamples.part(whole.get(name), info.shape(), info.dtype().bits(), dim, group.rank(), group.size());
    }

    /// Every way there is without a specification: who asks decides.
    static Stream<Arguments> ways() {
        return Stream.of(Distribution.LOCAL, Distribution.STRIPED, Distribution.OWNER)
                .flatMap(way -> Stream.of("cpu", "remote")
                        .flatMap(device -> Stream.of(1, 2, 3, 4, 7).map(size -> Arguments.of(way, device, size))));
    }

    @ParameterizedTest
    @MethodSource("ways")
    void every_sharding_call_gives_what_slicing_gives(Distribution way, String device, int size) {
        Ranks.all(size, group -> {
            for (int dim = -1; dim < 3; dim++) {
                try (Loader loader = builder(device, group).distribution(way).build();
                        Weights weights = loader.load(checkpoint)) {
                    assertEquals(infos.keySet(), weights.names());
                    for (TensorInfo info : infos.values()) {
                        checkPart(weights, info, dim, group);
                    }
                    assertTrue(size == 1 || weights.plan().sharing().orElseThrow().distribution() == way);
                }
            }
            return true;
        });
    }

    private static void checkPart(Weights weights, TensorInfo info, int dim, ProcessGroup group) {
        if (dim >= info.shape().rank()) {
            assertThrows(SliceException.class, () -> weights.getSharded(info.name(), dim));
        } else if (dim >= 0 && !ShardSamples.isWhole(info.dtype(), info.shape(), dim, group.size())) {
            return;
        } else {
            Tensor part = weights.getSharded(info.name(), dim);
            assertEquals(info.dtype(), part.dtype());
            assertArrayEquals(expected(info.name(), dim, group), ShardSamples.bytes(part),
                    () -> info + " dim " + dim + " rank " + group.rank() + " of " + group.size());
        }
    }

    @ParameterizedTest
    @MethodSource("ways")
    void tensors_are_joined_pushed_and_handed_out_together(Distribution way, String device, int size) {
        Ranks.all(size, group -> {
            try (Loader loader = builder(device, group).distribution(way).build();
                    Weights weights = loader.load(checkpoint)) {
                for (int dim = 0; dim < 2; dim++) {
                    checkConcat(weights, List.of("BF16.1", "BF16.6"), dim, group);
                }
                for (int destination = 0; destination < size; destination++) {
                    Optional<Tensor> pushed = weights.push("F32." + (destination % 2), destination);
                    assertEquals(destination == group.rank(), pushed.isPresent());
                    String name = "F32." + (destination % 2);
                    pushed.ifPresent(t -> assertArrayEquals(whole.get(name), ShardSamples.bytes(t)));
                }
                assertThrows(IllegalArgumentException.class, () -> weights.push("wide", size));
                return true;
            }
        });
        Ranks.all(size, group -> {
            try (Loader loader = builder(device, group).distribution(way).build();
                    Weights weights = loader.load(checkpoint)) {
                Map<String, Integer> dims = new LinkedHashMap<>();
                int next = 0;
                for (TensorInfo info : infos.values()) {
                    int dim = info.dtype().isSubByte() ? -1 : next++ % (info.shape().rank() + 1) - 1;
                    dims.put(info.name(), dim);
                }
                Map<String, Tensor> all = weights.getAll(dims);
                assertEquals(new ArrayList<>(dims.keySet()), new ArrayList<>(all.keySet()));
                all.forEach((name, tensor) -> assertArrayEquals(expected(name, dims.get(name), group),
                        ShardSamples.bytes(tensor), name));
                return true;
            }
        });
    }

    private static void checkConcat(Weights weights, List<String> names, int dim, ProcessGroup group) {
        Tensor joined = weights.getShardedConcat(names, dim);
        assertArrayEquals(concat(names, dim, group), ShardSamples.bytes(joined), names + " dim " + dim);
    }

    /// The parts joined along a dimension, row by row.
    private static byte[] concat(List<String> names, int dim, ProcessGroup group) {
        long rows = 1;
        Shape first = infos.get(names.getFirst()).shape();
        for (int d = 0; d < dim; d++) {
            rows *= first.dim(d);
        }
        List<byte[]> parts = names.stream().map(name -> expected(name, dim, group)).toList();
        byte[] joined = new byte[parts.stream().mapToInt(p -> p.length).sum()];
        int at = 0;
        for (int row = 0; row < rows; row++) {
            for (byte[] part : parts) {
                int bytes = (int) (part.length / rows);
                System.arraycopy(part, row * bytes, joined, at, bytes);
                at += bytes;
            }
        }
        return joined;
    }

    @ParameterizedTest
    @EnumSource(TransferPath.class)
    void with_a_specification_each_rank_reads_its_own_parts(TransferPath path) {
        for (String device : List.of("cpu", "remote")) {
            if (device.equals("cpu") && (path == TransferPath.MAPPED || path == TransferPath.DIRECT)) {
                continue;
            }
            for (int size : new int[] {2, 3, 7}) {
                for (int dim = 0; dim < 3; dim++) {
                    int cut = dim;
                    for (Optional<DType> dtype : size == 7 ? List.of(Optional.<DType>empty())
                            : List.of(Optional.<DType>empty(), Optional.of(DType.F32))) {
                        Ranks.all(size, group -> loadParts(builder(device, group).transferPath(path), group, cut,
                                dtype));
                    }
                }
            }
        }
    }

    private static boolean loadParts(LoaderBuilder builder, ProcessGroup group, int dim, Optional<DType> dtype) {
        Map<String, Integer> dims = new LinkedHashMap<>();
        for (TensorInfo info : infos.values()) {
            boolean fits = dim < info.shape().rank()
                    && ShardSamples.isWhole(info.dtype(), info.shape(), dim, group.size());
            dims.put(info.name(), fits ? dim : -1);
        }
        dtype.ifPresent(builder::dtype);
        try (Loader loader = builder.shards(ShardSpec.of(dims)).build(); Weights weights = loader.load(checkpoint)) {
            assertEquals(Distribution.LOCAL, weights.plan().sharing().orElseThrow().distribution());
            for (TensorInfo info : infos.values()) {
                byte[] expected = expected(info.name(), dims.get(info.name()), group);
                if (dtype.isPresent() && info.dtype().isFloat() && info.dtype() != dtype.get()) {
                    expected = converted(info, dims.get(info.name()), dtype.get(), group);
                }
                assertArrayEquals(expected, ShardSamples.bytes(weights.getSharded(info.name(), dims.get(info.name()))),
                        () -> info + " dim " + dim + " rank " + group.rank() + " of " + group.size() + " as " + dtype);
            }
            checkRefusals(weights, dims);
            weights.awaitAll();
            return true;
        }
    }

    /// The conversion of the whole tensor by one rank, cut.
    private static byte[] converted(TensorInfo info, int dim, DType dtype, ProcessGroup group) {
        byte[] all = CONVERTED.computeIfAbsent(info.name() + " as " + dtype, _ -> {
            try (Loader loader = Loader.builder().build(); Weights weights = loader.load(info.file())) {
                return ShardSamples.bytes(weights.get(info.name(), GetOptions.as(dtype)));
            }
        });
        return ShardSamples.part(all, info.shape(), dtype.bits(), dim, group.rank(), group.size());
    }

    private static void checkRefusals(Weights weights, Map<String, Integer> dims) {
        if (dims.get("wide") < 0) {
            return;
        }
        for (SliceException e : List.of(assertThrows(SliceException.class, () -> weights.get("wide")),
                assertThrows(SliceException.class, () -> weights.push("wide", 0)),
                assertThrows(SliceException.class, () -> weights.getSharded("wide", 1 - dims.get("wide"))))) {
            assertTrue(e.getMessage().contains("part along dimension " + dims.get("wide") + " was loaded"),
                    e.getMessage());
        }
    }

    @Test
    void a_cut_along_the_first_dimension_reads_each_byte_once() {
        long bytes = whole.get("wide").length + whole.get("deep").length;
        List<Long> read = Ranks.all(3, group -> {
            try (Loader loader = builder("cpu", group).shards(ShardSpec.of(Map.of("*", 0)))
                    .select(t -> t.name().equals("wide") || t.name().equals("deep")).build();
                    Weights weights = loader.load(checkpoint)) {
                weights.awaitAll();
                assertEquals(0, weights.stats().bytesReceived());
                return weights.plan().bytesToRead();
            }
        });
        assertEquals(bytes, read.stream().mapToLong(Long::longValue).sum());
    }

    @Test
    void rows_far_apart_are_read_without_what_is_between() {
        Ranks.all(2, group -> {
            try (Loader loader = builder("remote", group).shards(ShardSpec.of(Map.of("deep", 1)))
                    .select(t -> t.name().equals("deep")).build(); Weights weights = loader.load(checkpoint)) {
                assertEquals(expected("deep", 1, group).length, weights.plan().bytesToRead());
                assertEquals(3, weights.plan().files().stream().mapToInt(f -> f.ranges()).sum());
                assertArrayEquals(expected("deep", 1, group), ShardSamples.bytes(weights.getSharded("deep", 1)));
                return true;
            }
        });
    }

    @Test
    void a_stream_hands_out_the_parts_of_a_rank() {
        Ranks.all(3, group -> {
            ShardSpec spec = ShardSpec.of(Map.of("*.1", 0, "wide", 1));
            try (Loader loader = builder("remote", group).shards(spec).deviceBudget(1 << 20).build();
                    TensorStream stream = loader.stream(checkpoint)) {
                int tensors = 0;
                for (Tensor tensor : stream) {
                    byte[] expected = expected(tensor.name(), spec.dim(tensor.name()), group);
                    assertArrayEquals(expected, ShardSamples.bytes(tensor), tensor::toString);
                    tensors++;
                }
                assertEquals(infos.size(), tensors);
                return true;
            }
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
                        try (Loader loader = builder(device, group).distribution(way).build();
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
        List<Path> files;
        try (Loader loader = Loader.builder().build(); Weights weights = loader.load(checkpoint)) {
            files = weights.checkpoint().files();
        }
        Ranks.all(3, group -> {
            Map<Integer, List<Path>> given = Map.of(2, files.subList(0, 2), 0, files.subList(2, 3));
            try (Loader loader = builder("remote", group).build(); Weights weights = loader.load(given)) {
                assertEquals(Distribution.OWNER, weights.plan().sharing().orElseThrow().distribution());
                weights.awaitAll();
                assertEquals(group.rank() == 1, weights.stats().bytesRead() == 0);
                assertEquals(infos.keySet(), weights.names());
                everything(weights).forEach(
                        (name, tensor) -> assertArrayEquals(whole.get(name), ShardSamples.bytes(tensor), name));
                return true;
            }
        });
    }

    @Test
    void an_owner_frees_a_file_when_its_last_tensor_was_handed_out() {
        Ranks.all(2, group -> {
            try (Loader loader = builder("remote", group).distribution(Distribution.OWNER).build();
                    Weights weights = loader.load(checkpoint)) {
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
            try (Loader loader = builder("remote", group).distribution(way).build();
                    Weights weights = loader.load(checkpoint)) {
                Tensor near = weights.getSharded("wide", 0, new GetOptions(Optional.of(Device.CPU),
                        Optional.of(DType.F32)));
                assertEquals(Device.CPU, near.device());
                assertEquals(DType.F32, near.dtype());
                assertArrayEquals(converted(infos.get("wide"), 0, DType.F32, group), ShardSamples.bytes(near));
                // Where a tensor goes is each rank's own business.
                GetOptions options = group.rank() == 0 ? GetOptions.on(Device.CPU) : GetOptions.asLoaded();
                assertArrayEquals(whole.get("deep"), ShardSamples.bytes(weights.get("deep", options)));
                return true;
            }
        });
    }

    @Test
    void two_loads_of_one_group_take_turns() {
        Ranks.all(3, group -> {
            try (Loader loader = builder("remote", group).build(); Weights first = loader.load(checkpoint);
                    Weights second = loader.load(checkpoint)) {
                first.awaitAll();
                second.awaitAll();
                for (String name : List.of("wide", "deep", "F16.0")) {
                    assertArrayEquals(whole.get(name), ShardSamples.bytes(first.get(name)));
                    assertArrayEquals(whole.get(name), ShardSamples.bytes(second.get(name)));
                }
                return true;
            }
        });
    }

    @Test
    void ranks_on_devices_of_two_kinds_share_a_load() {
        Ranks.all(4, group -> {
            try (Loader loader = builder(group.rank() % 2 == 0 ? "cpu" : "remote", group).alignment(256)
                    .distribution(Distribution.OWNER).build(); Weights weights = loader.load(checkpoint)) {
                for (String name : weights.names()) {
                    assertArrayEquals(whole.get(name), ShardSamples.bytes(weights.get(name)), name);
                }
                return true;
            }
        });
    }

    @Test
    void a_plan_is_made_together_too() {
        Ranks.all(2, group -> {
            try (Loader loader = builder("cpu", group).build()) {
                LoadPlan plan = loader.plan(checkpoint);
                assertEquals(Distribution.STRIPED, plan.sharing().orElseThrow().distribution());
                assertTrue(plan.describe().contains("every byte is read once"), plan.describe());
                return true;
            }
        });
    }
}
