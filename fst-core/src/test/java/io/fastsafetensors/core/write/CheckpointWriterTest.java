package io.fastsafetensors.core.write;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// The files that the writer leaves behind when all goes well.
class CheckpointWriterTest {
    private static final WriteOptions DEFAULTS = WriteOptions.defaults();

    @TempDir
    private Path directory;

    @Test
    void what_is_written_reads_back() throws Exception {
        long seed = Long.getLong("fst.seed", System.nanoTime());
        RandomGenerator random = new Random(seed);
        for (int round = 0; round < 50; round++) {
            String hint = "-Dfst.seed=" + seed + ", round " + round;
            List<TensorSource> tensors = new ArrayList<>();
            Map<String, byte[]> expected = new HashMap<>();
            int count = random.nextInt(12);
            for (int i = 0; i < count; i++) {
                DType dtype = DType.values()[random.nextInt(DType.values().length)];
                Shape shape = Shape.of(random.nextInt(4), 4 * random.nextInt(5));
                byte[] bytes = new byte[(int) dtype.byteSize(shape.elements())];
                random.nextBytes(bytes);
                String name = "t" + (char) random.nextInt(0xD800) + i;
                expected.put(name, bytes);
                tensors.add(TensorSource.of(name, dtype, shape, inPieces(bytes, random)));
            }
            Path file = directory.resolve("x.safetensors");
            int alignment = 8 << random.nextInt(10);
            Map<String, String> metadata = random.nextBoolean() ? Map.of("k", "\u0000\"v") : Map.of();

            CheckpointWriter.write(file, tensors,
                    new WriteOptions(metadata, alignment, Long.MAX_VALUE, random.nextBoolean()));

            assertReadsBack(file, expected, metadata, hint);
            assertEquals(0, (Files.size(file) - Sources.data(file).length) % alignment, hint);
        }
    }

    @Test
    void shards_fill_in_the_order_of_the_sources() throws Exception {
        Path target = directory.resolve("a/b");
        List<Path> files = CheckpointWriter.write(target, List.of(Sources.counting("z", DType.U8, 6),
                Sources.counting("a", DType.F32, 1), Sources.counting("large", DType.U8, 30),
                Sources.counting("m", DType.U8, 1)), DEFAULTS.withMaxShardBytes(10));

        assertEquals(List.of("model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors",
                "model-00003-of-00003.safetensors", "model.safetensors.index.json"), Sources.listing(target));
        assertEquals(Sources.listing(target), files.stream().map(file -> file.getFileName().toString()).toList());
        assertEquals(List.of("a", "z"), List.copyOf(tree(Sources.header(files.get(0))).propertyNames()));
        assertEquals("""
                {
                  "metadata": {
                    "total_size": 41
                  },
                  "weight_map": {
                    "a": "model-00001-of-00003.safetensors",
                    "large": "model-00002-of-00003.safetensors",
                    "m": "model-00003-of-00003.safetensors",
                    "z": "model-00001-of-00003.safetensors"
                  }
                }
                """, Files.readString(files.get(3)));
    }

    @Test
    void nothing_in_shards_is_one_empty_file_without_an_index() throws Exception {
        List<Path> files = CheckpointWriter.write(directory, List.of(), DEFAULTS.withMaxShardBytes(10));
        assertEquals("{}      ", Sources.header(files.get(0)));
        assertEquals(List.of(directory.resolve("model.safetensors")), files);
    }

    @Test
    void digests_stand_in_the_metadata() throws Exception {
        Path file = directory.resolve("x.safetensors");
        byte[] large = new byte[3 << 20];
        new Random(1).nextBytes(large);
        CheckpointWriter.write(file,
                List.of(Sources.of("b\n", DType.U8, large, large.length), Sources.counting("a", DType.F32, 2),
                        Sources.counting("none", DType.F32, 0)),
                new WriteOptions(Map.of("k", "v", "fst.sha256.gone", "stale"), 8, Long.MAX_VALUE, true));

        JsonNode metadata = tree(Sources.header(file)).get("__metadata__");
        assertEquals(Set.of("k", "fst.sha256.a", "fst.sha256.b\n", "fst.sha256.none"),
                new HashSet<>(metadata.propertyNames()));
        assertEquals(sha256(large), metadata.get("fst.sha256.b\n").asString());
        assertEquals(sha256(new byte[] {0, 1, 2, 3, 4, 5, 6, 7}), metadata.get("fst.sha256.a").asString());
        assertEquals(sha256(new byte[0]), metadata.get("fst.sha256.none").asString());
        assertArrayEquals(large, Arrays.copyOfRange(Sources.data(file), 8, 8 + large.length));
    }

    @Test
    void an_open_file_keeps_its_old_bytes() throws Exception {
        Path file = directory.resolve("x.safetensors");
        CheckpointWriter.write(file, List.of(Sources.of("a", DType.U8, new byte[] {1, 2}, 2)), DEFAULTS);
        try (FileChannel old = FileChannel.open(file, StandardOpenOption.READ)) {
            CheckpointWriter.write(file, List.of(Sources.of("a", DType.U8, new byte[] {3, 4}, 2)), DEFAULTS);
            ByteBuffer last = ByteBuffer.allocate(1);
            old.read(last, old.size() - 1);
            assertEquals(2, last.get(0));
        }
        assertArrayEquals(new byte[] {3, 4}, Sources.data(file));
    }

    @Test
    void a_dead_writers_temporary_file_goes_and_a_living_ones_stays() throws Exception {
        Path dead = Files.createFile(directory.resolve(".x.safetensors.0123456789abcdef" + AtomicFile.SUFFIX));
        Path other = Files.createFile(directory.resolve(".y.safetensors.0123456789abcdef" + AtomicFile.SUFFIX));
        Path locked = Files.createFile(directory.resolve(".x.safetensors.fedcba9876543210" + AtomicFile.SUFFIX));
        Path file = directory.resolve("x.safetensors");
        TensorSource nested = TensorSource.of("a", DType.U8, Shape.of(1), channel -> {
            // A second writer of the same target, while the first is at it.
            CheckpointWriter.write(file, List.of(), DEFAULTS);
            channel.write(ByteBuffer.allocate(1));
        });
        try (FileChannel channel = FileChannel.open(locked, StandardOpenOption.WRITE); FileLock lock = channel.lock()) {
            CheckpointWriter.write(file, List.of(nested), DEFAULTS);
            assertTrue(lock.isValid());
        }
        assertTrue(Files.notExists(dead));
        assertTrue(Files.exists(other) && Files.exists(locked));
        assertEquals(1, Sources.data(file).length);
    }

    private static TensorSource.Bytes inPieces(byte[] bytes, RandomGenerator random) {
        boolean direct = random.nextBoolean();
        return channel -> {
            ByteBuffer all = direct ? ByteBuffer.allocateDirect(bytes.length).put(bytes).flip()
                    : ByteBuffer.wrap(bytes);
            while (all.hasRemaining()) {
                ByteBuffer piece = all.slice(all.position(), 1 + random.nextInt(all.remaining()));
                all.position(all.position() + channel.write(piece));
            }
        };
    }

    private static void assertReadsBack(Path file, Map<String, byte[]> expected, Map<String, String> metadata,
            String hint) throws Exception {
        JsonNode header = tree(Sources.header(file));
        byte[] data = Sources.data(file);
        ByteArrayOutputStream gathered = new ByteArrayOutputStream();
        Set<String> names = new HashSet<>(header.propertyNames());
        names.remove("__metadata__");
        assertEquals(expected.keySet(), names, hint);
        for (String name : header.propertyNames()) {
            if (!name.equals("__metadata__")) {
                int begin = header.get(name).get("data_offsets").get(0).asInt();
                int end = header.get(name).get("data_offsets").get(1).asInt();
                assertEquals(gathered.size(), begin, hint);
                byte[] bytes = Arrays.copyOfRange(data, begin, end);
                assertArrayEquals(expected.get(name), bytes, hint);
                gathered.write(bytes);
            }
        }
        assertArrayEquals(data, gathered.toByteArray(), hint);
        metadata.forEach((key, value) -> assertEquals(value, header.get("__metadata__").get(key).asString(), hint));
    }

    private static JsonNode tree(String json) {
        return JsonMapper.shared().readTree(json);
    }

    private static String sha256(byte[] bytes) throws Exception {
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    }
}
