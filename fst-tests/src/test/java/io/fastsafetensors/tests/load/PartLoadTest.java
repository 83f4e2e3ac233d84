package io.fastsafetensors.tests.load;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Distribution;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.ShardSpec;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.api.TensorStream;
import io.fastsafetensors.api.TransferPath;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.error.SliceException;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.testkit.group.ShardSamples;
import io.fastsafetensors.tests.storage.ShrinkingStorageProvider;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.Shape;
import io.fastsafetensors.types.TensorInfo;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Loads by several ranks with a shard specification: each reads its own parts, on every way into a device.
@Timeout(600)
class PartLoadTest extends RankLoads {
    private static final int ROWS = 1024;
    private static final int ROW = 4096;

    @ParameterizedTest
    @EnumSource(TransferPath.class)
    @Tag("slow")
    void with_a_specification_each_rank_reads_its_own_parts(TransferPath path) {
        for (String device : List.of("cpu", "remote")) {
            if (device.equals("cpu") && path == TransferPath.DIRECT) {
                continue;
            }
            for (int size : new int[] {2, 3, 7}) {
                for (int dim = 0; dim < 3; dim++) {
                    int cut = dim;
                    for (Optional<DType> dtype : size == 7 ? List.of(Optional.<DType>empty())
                            : List.of(Optional.<DType>empty(), Optional.of(DType.F32))) {
                        Ranks.all(size,
                                group -> loadParts(Ranks.builder(device, group).transferPath(path), group, cut,
                                        dtype));
                    }
                }
            }
        }
    }

    private static boolean loadParts(LoaderBuilder builder, ProcessGroup group, int dim, Optional<DType> dtype) {
        Map<String, Integer> dims = new LinkedHashMap<>();
        for (TensorInfo info : sample.infos().values()) {
            boolean fits = dim < info.shape().rank()
                    && ShardSamples.isWhole(info.dtype(), info.shape(), dim, group.size());
            dims.put(info.name(), fits ? dim : -1);
        }
        dtype.ifPresent(builder::dtype);
        try (Loader loader = builder.shards(ShardSpec.of(dims)).build();
                Weights weights = loader.load(sample.checkpoint())) {
            assertEquals(Distribution.LOCAL, weights.plan().sharing().orElseThrow().distribution());
            for (TensorInfo info : sample.infos().values()) {
                byte[] expected = sample.expected(info.name(), dims.get(info.name()), group);
                if (dtype.isPresent() && info.dtype().isFloat() && info.dtype() != dtype.get()) {
                    expected = sample.converted(info.name(), dims.get(info.name()), dtype.get(), group);
                }
                assertArrayEquals(expected, ShardSamples.bytes(weights.getSharded(info.name(), dims.get(info.name()))),
                        () -> info + " dim " + dim + " rank " + group.rank() + " of " + group.size() + " as " + dtype);
            }
            checkRefusals(weights, dims);
            weights.awaitAll();
            return true;
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
        long bytes = sample.whole("wide").length + sample.whole("deep").length;
        List<Long> read = Ranks.all(3, group -> {
            try (Loader loader = Ranks.builder("cpu", group).shards(ShardSpec.of(Map.of("*", 0)))
                    .select(t -> t.name().equals("wide") || t.name().equals("deep")).build();
                    Weights weights = loader.load(sample.checkpoint())) {
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
            try (Loader loader = Ranks.builder("remote", group).shards(ShardSpec.of(Map.of("deep", 1)))
                    .select(t -> t.name().equals("deep")).build(); Weights weights = loader.load(sample.checkpoint())) {
                assertEquals(sample.expected("deep", 1, group).length, weights.plan().bytesToRead());
                assertEquals(3, weights.plan().files().stream().mapToInt(f -> f.ranges()).sum());
                assertArrayEquals(sample.expected("deep", 1, group), ShardSamples.bytes(weights.getSharded("deep", 1)));
                return true;
            }
        });
    }

    @Test
    void a_stream_hands_out_the_parts_of_a_rank() {
        Ranks.all(3, group -> {
            ShardSpec spec = ShardSpec.of(Map.of("*.1", 0, "wide", 1));
            try (Loader loader = Ranks.builder("remote", group).shards(spec).deviceBudget(1 << 20).build();
                    TensorStream stream = loader.stream(sample.checkpoint())) {
                int tensors = 0;
                for (Tensor tensor : stream) {
                    byte[] expected = sample.expected(tensor.name(), spec.dim(tensor.name()), group);
                    assertArrayEquals(expected, ShardSamples.bytes(tensor), tensor::toString);
                    tensors++;
                }
                assertEquals(sample.infos().size(), tensors);
                return true;
            }
        });
    }

    @ParameterizedTest
    @ValueSource(strings = {"cpu", "remote"})
    void rows_that_a_file_loses_while_they_are_copied_are_an_error(String device, @TempDir Path directory) {
        Path file = directory.resolve("rows.safetensors");
        Safetensors.write(file, List.of(TensorSource.of("w", DType.U8, Shape.of(ROWS, 2 * ROW),
                channel -> channel.write(ByteBuffer.allocate(ROWS * 2 * ROW)))), WriteOptions.defaults());
        Location shrinking = ShrinkingStorageProvider.shrinking(file);
        Ranks.all(2, group -> {
            try (Loader loader = Ranks.builder(device, group).shards(ShardSpec.of(Map.of("w", 1))).build();
                    Weights weights = loader.load(shrinking)) {
                StorageException e = assertThrows(StorageException.class, weights::awaitAll);
                assertEquals(shrinking.toString(), e.where().file(), e.toString());
                assertTrue(e.getMessage().contains("it shrank while it was being read"), e.toString());
                return true;
            }
        });
    }
}
