package io.fastsafetensors.tests.load;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Checkpoint;
import io.fastsafetensors.api.Distribution;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.Selection;
import io.fastsafetensors.api.ShardSpec;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.TensorStream;
import io.fastsafetensors.api.TransferPath;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.error.FstException;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.testkit.fault.FaultPlan;
import io.fastsafetensors.testkit.fixture.SafetensorsFixture;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Shape;
import io.fastsafetensors.types.Slice;
import io.fastsafetensors.types.TensorInfo;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Checkpoints as PyTorch's distributed checkpoint writes them, each rank a file with its part of every tensor.
@Timeout(120)
class ShardedTensorsTest {
    private static final long SEED = Long.getLong("fst.seed", 20261130);

    @TempDir
    Path directory;
    private final Random random = new Random(SEED);
    private final Map<String, byte[]> wholes = new LinkedHashMap<>();
    private final Map<String, Shape> shapes = new LinkedHashMap<>();
    private final Map<String, DType> dtypes = new LinkedHashMap<>();

    /// The file of one rank.
    private static final class RankFile {
        private final SafetensorsFixture file = SafetensorsFixture.create();
        private final StringBuilder info = new StringBuilder();

        void part(String name, DType dtype, Shape shape, byte[] bytes, String entry) {
            file.tensor(name, dtype, shape, bytes);
            info.append(info.isEmpty() ? "" : ",").append('"').append(name).append("\":").append(entry);
        }

        void write(Path path) {
            file.metadata("DCP_SHARDING_INFO", "{" + info + "}").metadata("DCP_VERSION", "1.0").metadata("format", "pt")
                    .write(path);
        }
    }

    @BeforeEach
    void wellBehaved() {
        RemoteProvider.behave(FaultPlan.seeded(SEED));
    }

    private Path fileOf(int rank) {
        return directory.resolve(String.format(Locale.ROOT, "shard-%05d-model-00001-of-00001.safetensors", rank + 1));
    }

    /// The box of a whole tensor.
    private static byte[] box(byte[] whole, Shape shape, int size, long[] offsets, Shape box) {
        byte[] part = new byte[(int) box.elements() * size];
        int rank = shape.rank();
        for (int i = 0; i < box.elements(); i++) {
            long rest = i;
            long at = 0;
            long stride = 1;
            for (int d = rank - 1; d >= 0; d--) {
                at += (rest % box.dim(d) + offsets[d]) * stride;
                rest /= box.dim(d);
                stride *= shape.dim(d);
            }
            System.arraycopy(whole, (int) at * size, part, i * size, size);
        }
        return part;
    }

    private byte[] whole(String name, DType dtype, Shape shape) {
        byte[] bytes = new byte[(int) dtype.byteSize(shape.elements())];
        random.nextBytes(bytes);
        wholes.put(name, bytes);
        shapes.put(name, shape);
        dtypes.put(name, dtype);
        return bytes;
    }

    /// A tensor cut along a dimension into parts of ceil(size / ranks), as FSDP does; −1 is a replica on each rank.
    private void cut(List<RankFile> files, String name, DType dtype, Shape shape, int dim, boolean tellsShape) {
        byte[] whole = whole(name, dtype, shape);
        long each = dim < 0 ? 0 : Math.ceilDiv(shape.dim(dim), files.size());
        for (int r = 0; r < files.size(); r++) {
            long[] offsets = new long[shape.rank()];
            Shape part = shape;
            if (dim >= 0) {
                offsets[dim] = Math.min(r * each, shape.dim(dim));
                part = shape.withDim(dim, Math.min(each, shape.dim(dim) - offsets[dim]));
            }
            files.get(r).part(name, dtype, part, box(whole, shape, dtype.bits() / 8, offsets, part),
                    "{\"saved_offsets\":" + Arrays.toString(offsets)
                            + (tellsShape ? ",\"global_shape\":" + Arrays.toString(shape.toArray()) : "") + "}");
        }
    }

    private static List<RankFile> ranks(int count) {
        List<RankFile> files = new ArrayList<>();
        for (int r = 0; r < count; r++) {
            files.add(new RankFile());
        }
        return files;
    }

    private void write(List<RankFile> files) {
        for (int r = 0; r < files.size(); r++) {
            files.get(r).write(fileOf(r));
        }
    }

    /// Every kind of cut there is, by so many ranks.
    private void sample(int ranks) {
        List<RankFile> files = ranks(ranks);
        cut(files, "rows", DType.F32, Shape.of(40, 33), 0, false);
        cut(files, "ragged.rows", DType.BF16, Shape.of(7, 5), 0, true);
        cut(files, "columns", DType.F32, Shape.of(31, 60), 1, false);
        cut(files, "ragged.columns", DType.F16, Shape.of(130, 61), 1, true);
        cut(files, "middle", DType.U8, Shape.of(5, 12, 7), 1, false);
        cut(files, "replicated", DType.F32, Shape.of(9, 9), -1, false);
        cut(files, "vector", DType.I64, Shape.of(1000), 0, false);
        cut(files, "scalar", DType.F32, Shape.of(), -1, false);
        cut(files, "large.rows", DType.F32, Shape.of(600, 300), 0, false);
        cut(files, "large.columns", DType.F32, Shape.of(300, 600), 1, false);
        cut(files, "fewer.than.ranks", DType.F32, Shape.of(1, 8), 0, true);
        grid(files);
        write(files);
    }

    /// Cut in both dimensions, as HSDP over two meshes does.
    private void grid(List<RankFile> files) {
        Shape shape = Shape.of(10, 64);
        byte[] whole = whole("grid", DType.F32, shape);
        for (int r = 0; r < 4; r++) {
            long[] offsets = {r / 2 * 4L, r % 2 * 40L};
            Shape part = Shape.of(r / 2 == 0 ? 4 : 6, r % 2 == 0 ? 40 : 24);
            RankFile file = files.get(r % files.size());
            String name = files.size() < 4 ? "grid." + r : "grid";
            file.part(name, DType.F32, part, box(whole, shape, 4, offsets, part), "{\"saved_offsets\":"
                    + Arrays.toString(offsets) + ",\"logical_fqn\":\"grid\"}");
        }
    }

    private static byte[] bytes(Tensor tensor) {
        byte[] bytes = new byte[(int) tensor.byteSize()];
        tensor.copyTo(MemorySegment.ofArray(bytes));
        return bytes;
    }

    private void assertWhole(String name, Tensor tensor) {
        assertEquals(shapes.get(name), tensor.shape(), name);
        assertEquals(dtypes.get(name), tensor.dtype(), name);
        assertArrayEquals(wholes.get(name), bytes(tensor), name + ", seed " + SEED);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4})
    void tensors_of_several_files_are_listed_and_read_whole(int ranks) {
        sample(ranks);
        Checkpoint checkpoint = Safetensors.open(directory);
        assertEquals(new TreeSet<>(wholes.keySet()), new TreeSet<>(checkpoint.names()));
        assertEquals(ranks, checkpoint.files().size());
        assertEquals(List.of(), checkpoint.notes());
        assertEquals("pt", checkpoint.metadata().get("format"));
        shapes.forEach((name, shape) -> assertEquals(shape, checkpoint.info(name).shape(), name));
        for (String device : List.of("cpu", "remote")) {
            for (TransferPath path : TransferPath.values()) {
                if (device.equals("cpu") && path == TransferPath.DIRECT) {
                    continue;
                }
                try (Loader loader = builder(device).transferPath(path).build();
                        Weights weights = loader.load(directory)) {
                    wholes.keySet().forEach(name -> assertWhole(name, weights.get(name)));
                    weights.awaitAll();
                }
            }
        }
    }

    private static LoaderBuilder builder(String device) {
        return Loader.builder().device(device.equals("cpu") ? Device.CPU : RemoteProvider.DEVICE).blockBytes(8192);
    }

    @ParameterizedTest
    @CsvSource({"2,LOCAL,cpu", "3,LOCAL,remote", "4,LOCAL,cpu", "2,OWNER,cpu", "3,OWNER,remote", "3,STRIPED,cpu"})
    void ranks_share_them_like_every_other_checkpoint(int files, Distribution distribution, String device) {
        sample(files);
        int ranks = 3;
        List<String> cut = List.of("rows", "columns", "large.rows", "large.columns", "grid", "ragged.columns");
        for (int dim = 0; dim < 2; dim++) {
            int along = dim;
            List<Map<String, byte[]>> parts = Ranks.all(ranks, group -> {
                LoaderBuilder builder = builder(device).group(group).distribution(distribution);
                if (distribution == Distribution.LOCAL) {
                    Map<String, Integer> dims = new LinkedHashMap<>();
                    cut.forEach(name -> dims.put(name, along));
                    builder.shards(ShardSpec.of(dims));
                }
                try (Loader loader = builder.build(); Weights weights = loader.load(directory)) {
                    Map<String, byte[]> mine = new HashMap<>();
                    for (String name : cut) {
                        mine.put(name, bytes(weights.getSharded(name, along)));
                    }
                    assertWhole("vector", weights.get("vector"));
                    weights.awaitAll();
                    return mine;
                }
            });
            for (String name : cut) {
                Shape shape = shapes.get(name);
                long each = Math.ceilDiv(shape.dim(dim), ranks);
                for (int r = 0; r < ranks; r++) {
                    long[] offsets = new long[2];
                    offsets[dim] = Math.min(r * each, shape.dim(dim));
                    Shape part = shape.withDim(dim, Math.min(each, shape.dim(dim) - offsets[dim]));
                    assertArrayEquals(box(wholes.get(name), shape, dtypes.get(name).bits() / 8, offsets, part),
                            parts.get(r).get(name), name + " along " + dim + " of rank " + r);
                }
            }
        }
    }

    @Test
    void a_rank_reads_little_more_than_its_part() {
        List<RankFile> files = ranks(4);
        cut(files, "w", DType.F32, Shape.of(1024, 1024), 0, false);
        write(files);
        long wanted = 1024 * 1024 * 4 / 4;
        for (long read : Ranks.all(4, group -> {
            try (Loader loader = builder("cpu").group(group).distribution(Distribution.LOCAL)
                    .shards(ShardSpec.of(Map.of("w", 0))).build(); Weights weights = loader.load(directory)) {
                weights.awaitAll();
                return weights.stats().bytesRead();
            }
        })) {
            assertTrue(read >= wanted && read <= wanted + 2 * 4096, read + " bytes read for " + wanted);
        }
    }

    @Test
    void slices_streams_and_copies_work_on_whole_tensors() throws IOException {
        sample(3);
        Checkpoint checkpoint = Safetensors.open(directory);
        try (Tensor row = checkpoint.read("large.columns", Slice.at(17))) {
            assertArrayEquals(Arrays.copyOfRange(wholes.get("large.columns"), 17 * 2400, 18 * 2400), bytes(row));
        }
        try (Tensor part = checkpoint.read("columns", Slice.all(), Slice.range(19, 42))) {
            assertArrayEquals(
                    box(wholes.get("columns"), shapes.get("columns"), 4, new long[] {0, 19}, Shape.of(31, 23)),
                    bytes(part));
        }
        try (Loader loader = builder("cpu").deviceBudget(4 << 20).build()) {
            Set<String> seen = new TreeSet<>();
            try (TensorStream stream = loader.stream(directory, Selection.all())) {
                for (Tensor tensor : stream) {
                    seen.add(tensor.name());
                    assertWhole(tensor.name(), tensor);
                }
            }
            assertEquals(new TreeSet<>(wholes.keySet()), seen);
            Path one = directory.resolve("one.safetensors");
            loader.rewrite(directory, one, WriteOptions.defaults());
            Path several = directory.resolve("several");
            loader.rewrite(directory, several, WriteOptions.defaults().withKeepFiles(true));
            for (Path copy : List.of(one, several)) {
                assertEquals(Map.of("format", "pt"), Safetensors.open(copy).metadata());
                try (Weights weights = loader.load(copy)) {
                    wholes.keySet().forEach(name -> assertWhole(name, weights.get(name)));
                }
            }
        }
    }

    @Test
    void the_file_of_one_rank_by_itself_is_what_it_is() {
        List<RankFile> files = ranks(2);
        cut(files, "w", DType.F32, Shape.of(8, 8), 0, false);
        write(files);
        assertEquals(Shape.of(4, 8), Safetensors.open(fileOf(1)).info("w").shape());
        try (Loader loader = builder("cpu").build(); Weights weights = loader.load(List.of(fileOf(1), fileOf(0)))) {
            assertWhole("w", weights.get("w"));
        }
    }

    @Test
    void random_cuts_are_equal_to_the_whole() {
        for (int round = 0; round < 20; round++) {
            int count = random.nextInt(2, 6);
            List<RankFile> files = ranks(count);
            for (int t = 0; t < 3; t++) {
                int rank = random.nextInt(1, 5);
                long[] dims = new long[rank];
                Arrays.setAll(dims, _ -> random.nextInt(1, 14));
                cut(files, "t" + t, DType.values()[random.nextBoolean() ? DType.F32.ordinal() : DType.U8.ordinal()],
                        Shape.of(dims), random.nextInt(rank), true);
            }
            write(files);
            try (Loader loader = builder("cpu").build(); Weights weights = loader.load(directory)) {
                wholes.keySet().forEach(name -> assertWhole(name, weights.get(name)));
            }
            for (int r = 0; r < count; r++) {
                assertTrue(fileOf(r).toFile().delete());
            }
            wholes.clear();
        }
    }

    private void refused(String error, List<RankFile> files, String... words) {
        write(files);
        FstException e = assertThrows(FstException.class, () -> Safetensors.open(directory));
        assertEquals(error, e.errorName(), e.getMessage());
        Arrays.stream(words)
                .forEach(word -> assertTrue(e.getMessage().contains(word), word + " in: " + e.getMessage()));
        for (int r = 0; r < files.size(); r++) {
            assertTrue(fileOf(r).toFile().delete());
        }
    }

    private static RankFile part(String entry, Shape shape) {
        RankFile file = new RankFile();
        file.part("w", DType.F32, shape, new byte[(int) shape.elements() * 4], entry);
        return file;
    }

    private static String at(long... offsets) {
        return "{\"saved_offsets\":" + Arrays.toString(offsets) + "}";
    }

    @Test
    void broken_offsets_are_named() {
        String error = "InvalidSharding";
        refused(error, List.of(part(at(0, 0), Shape.of(4, 4)), part(at(8, 0), Shape.of(4, 4))), "32 of the 48",
                "missing");
        refused(error, List.of(part(at(4, 0), Shape.of(4, 4)), part(at(8, 0), Shape.of(4, 4))), "tensor w", "missing");
        refused(error, List.of(part(at(4, 0), Shape.of(4, 4))), "16 of the 32", "missing");
        refused(error, List.of(part(at(0, 0), Shape.of(4, 4)), part(at(2, 0), Shape.of(4, 4))), "lies over",
                "shard-00001");
        refused(error, List.of(part(at(0, 0), Shape.of(4, 4)), part(at(0, 2), Shape.of(4, 4))), "lies over");
        refused(error, List.of(part(at(0), Shape.of(4, 4))), "saved_offsets [0]", "[4,4]");
        refused(error, List.of(part("{\"saved_offsets\":[0,0],\"global_shape\":[2,4]}", Shape.of(4, 4))), "outside");
        refused(error, List.of(part("{\"saved_offsets\":[0,0],\"global_shape\":[8,4]}", Shape.of(4, 4)),
                part("{\"saved_offsets\":[4,0],\"global_shape\":[9,4]}", Shape.of(4, 4))), "[9,4]", "[8,4]");
        refused(error, List.of(part("{\"saved_offsets\":[9223372036854775807,0]}", Shape.of(4, 4))), "outside");
        refused(error, List.of(part("{\"saved_offsets\":[4611686018427387904,0]}", Shape.of(4, 4))), "64 bits");
        refused(error, List.of(part("{\"saved_offsets\":[-1,0]}", Shape.of(4, 4))), "negative");
        refused(error, List.of(part("{\"saved_offsets\":[0.5,0]}", Shape.of(4, 4))), "not an integer");
        refused(error, List.of(part("{}", Shape.of(4, 4))), "saved_offsets is missing");
        refused(error, List.of(part("7", Shape.of(4, 4))), "not an object");
        RankFile silent = part(at(0, 0), Shape.of(4, 4));
        silent.file.tensor("v", DType.F32, Shape.of(2), 1);
        refused(error, List.of(silent), "tensor v", "says nothing");
        RankFile other = new RankFile();
        other.part("w", DType.BF16, Shape.of(4, 4), new byte[32], at(4, 0));
        refused(error, List.of(part(at(0, 0), Shape.of(4, 4)), other), "BF16", "F32");
        RankFile packed = new RankFile();
        packed.part("w", DType.F4, Shape.of(2, 3), new byte[3], at(0, 0));
        RankFile rest = new RankFile();
        rest.part("w", DType.F4, Shape.of(2, 1), new byte[1], at(0, 3));
        refused(error, List.of(packed, rest), "inside a byte");
    }

    @Test
    void sharding_info_that_is_no_json_is_named() {
        SafetensorsFixture.create().tensor("w", DType.F32, Shape.of(4), 1).metadata("DCP_SHARDING_INFO", "{\"w\": ")
                .write(fileOf(0));
        FstException e = assertThrows(FstException.class, () -> Safetensors.open(directory));
        assertEquals("InvalidSharding", e.errorName(), e.getMessage());
    }

    @Test
    void a_part_that_changes_is_named() throws IOException {
        List<RankFile> files = ranks(2);
        cut(files, "w", DType.F32, Shape.of(64, 64), 1, false);
        write(files);
        Checkpoint checkpoint = Safetensors.open(directory);
        try (FileChannel channel = FileChannel.open(fileOf(1), StandardOpenOption.WRITE)) {
            channel.truncate(Files.size(fileOf(1)) - 1000);
        }
        StorageException e = assertThrows(StorageException.class, () -> checkpoint.read("w").close());
        assertTrue(e.getMessage().contains("shard-00002") && e.getMessage().contains("shrank"), e.getMessage());
    }

    @Test
    void infos_say_where_bytes_come_from() {
        List<RankFile> files = ranks(2);
        cut(files, "w", DType.F32, Shape.of(64, 64), 1, false);
        write(files);
        TensorInfo info = Safetensors.open(directory).info("w");
        assertTrue(info.file().toString().startsWith("joined:" + directory), info.toString());
    }
}
