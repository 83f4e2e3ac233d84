package io.fastsafetensors.backend.cpu.load;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Distribution;
import io.fastsafetensors.api.GetOptions;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.ShardSpec;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.TensorStream;
import io.fastsafetensors.api.TransferPath;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.error.SliceException;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.testkit.fault.FaultPlan;
import io.fastsafetensors.testkit.fault.OpenObjects;
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
        return Stream.of(Distribution.LOCAL, Distribution.STRIPED)
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
        try (Loader loader = Loader.builder().build(); Weights weights = loader.load(info.file())) {
            return ShardSamples.part(ShardSamples.bytes(weights.get(info.name(), GetOptions.as(dtype))), info.shape(),
                    dtype.bits(), dim, group.rank(), group.size());
        }
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
}
