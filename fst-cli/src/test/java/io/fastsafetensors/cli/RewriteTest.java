package io.fastsafetensors.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Checkpoint;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.Shape;
import io.fastsafetensors.types.TensorInfo;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Convert, align, split and merge, against each other and against what was written.
class RewriteTest {
    private static final long SEED = Long.getLong("fst.seed", System.nanoTime());
    private static final String HINT = "-Dfst.seed=" + SEED;
    private static final Map<String, String> METADATA = Map.of("format", "pt", "note", "é\n");

    @TempDir
    private Path directory;

    /// Random bytes of random dtypes, a large tensor and an empty one among them.
    private Path write(Random random, int tensors, WriteOptions options) {
        List<TensorSource> sources = new ArrayList<>();
        for (int i = 0; i < tensors; i++) {
            DType dtype = DType.values()[random.nextInt(DType.values().length)];
            Shape shape = i == 0 ? Shape.of(0, 5) : Shape.of(8L * random.nextInt(i == 1 ? 20_000 : 400), 3);
            byte[] bytes = new byte[(int) dtype.byteSize(shape.elements())];
            random.nextBytes(bytes);
            sources.add(TensorSource.of("layer." + random.nextInt(1000) + "." + i, dtype, shape,
                    channel -> channel.write(ByteBuffer.wrap(bytes))));
        }
        Path target = directory.resolve(options.maxShardBytes() == Long.MAX_VALUE ? "in.safetensors" : "in");
        Safetensors.write(target, sources, options.withMetadata(METADATA));
        return target;
    }

    /// What each tensor is, with the digest of its bytes; the place does not count.
    private static Map<String, List<String>> contents(Path checkpoint) {
        Cli.Result listing = Cli.run("ls", "--sha256", "--format", "tsv", checkpoint);
        assertEquals(0, listing.status(), listing.err());
        Map<String, List<String>> tensors = new TreeMap<>();
        listing.rows().forEach(row -> tensors.put(row.get(1), List.of(row.get(2), row.get(3), row.get(6))));
        return tensors;
    }

    private static Cli.Result succeed(Object... args) {
        Cli.Result result = Cli.run(args);
        assertEquals(0, result.status(), HINT + " " + result.err());
        assertEquals(1, result.lines().size(), result.out());
        // Of random bytes some are numbers that no narrower dtype has.
        assertEquals("",
                result.err().lines().filter(line -> !line.contains("overflowed")).collect(Collectors.joining()));
        return result;
    }

    private static void assertSound(Path checkpoint) {
        assertEquals(0, Cli.run("verify", checkpoint).status(), HINT);
        assertEquals(METADATA, Safetensors.open(checkpoint).metadata(), HINT);
    }

    @Test
    void split_and_merge_bring_back_every_byte() throws Exception {
        Random random = new Random(SEED);
        for (int round = 0; round < 8; round++) {
            Path in = write(random, 1 + random.nextInt(30), WriteOptions.defaults());
            Path shards = directory.resolve("shards" + round);
            Path out = directory.resolve("out.safetensors");
            long size = 1 + random.nextInt(200_000);
            String budget = 1 + random.nextInt(4) + "MiB";

            succeed("split", in, shards, "--max-shard-size", size, "--budget", budget);
            succeed("merge", shards, out);

            assertSound(shards);
            assertSound(out);
            assertEquals(contents(in), contents(shards), HINT);
            assertEquals(contents(in), contents(out), HINT);
            for (Location shard : Safetensors.open(shards).files()) {
                Checkpoint each = Safetensors.open(shard);
                assertTrue(each.byteSize() <= size || each.tensors().size() == 1, HINT);
            }
            assertEquals(-1, Files.mismatch(in, out), "the reference's order is the order of both; " + HINT);
            Cli.Result diff = Cli.run("diff", in, shards);
            assertEquals(new Cli.Result(0, "no difference" + System.lineSeparator(), ""), diff, HINT);
        }
    }

    @Test
    void a_checkpoint_without_tensors_is_split_into_one_that_verifies() throws Exception {
        Path in = directory.resolve("empty.safetensors");
        Safetensors.write(in, List.of(), WriteOptions.defaults().withMetadata(METADATA));
        Path shards = directory.resolve("shards");
        Path out = directory.resolve("out.safetensors");

        succeed("split", in, shards, "--max-shard-size", 1000);
        succeed("merge", shards, out);

        assertSound(shards);
        assertSound(out);
        assertEquals(0, Safetensors.open(shards).tensors().size());
        assertEquals(-1, Files.mismatch(in, out));

        Path full = directory.resolve("full");
        succeed("split", write(new Random(SEED), 3, WriteOptions.defaults()), full, "--max-shard-size", 1000);
        Cli.Result refused = Cli.run("split", in, full, "--max-shard-size", 1000);
        assertTrue(refused.status() != 0 && refused.err().contains("fresh directory"), refused.err());
        assertSound(full);
    }

    @Test
    void align_puts_data_and_tensors_on_pages_as_far_as_their_sizes_allow() {
        Random random = new Random(SEED);
        Path in = write(random, 40, WriteOptions.defaults());
        for (int alignment : new int[] {8, 512, 4096, 65_536}) {
            Path out = directory.resolve("out.safetensors");
            if (alignment == 4096) {
                succeed("align", in, out);
            } else {
                succeed("align", "--alignment", alignment, in, out);
            }
            assertSound(out);
            assertEquals(contents(in), contents(out), HINT);
            List<TensorInfo> tensors = Safetensors.open(out).tensors();
            assertEquals(0, tensors.getFirst().fileOffset() % alignment, HINT);
            for (TensorInfo tensor : tensors) {
                long own = Math.min(alignment, Long.lowestOneBit(tensor.byteSize()));
                assertTrue(alignment == 8 || own == 0 || tensor.fileOffset() % own == 0, tensor + " " + HINT);
            }
        }
    }

    @Test
    void convert_changes_floats_by_the_loaders_rules_and_nothing_else() {
        Random random = new Random(SEED);
        Path in = write(random, 30, WriteOptions.defaults());
        for (DType dtype : List.of(DType.BF16, DType.F64, DType.F8_E4M3, DType.F4)) {
            Path out = directory.resolve("out.safetensors");
            succeed("convert", in, out, "--dtype", dtype.name().toLowerCase(Locale.ROOT));
            assertSound(out);
            assertEquals(converted(in, dtype), converted(out, dtype), HINT + " " + dtype);
            for (List<String> row : Cli.run("diff", "--format", "tsv", in, out).rows()) {
                assertTrue(row.get(1).startsWith("dtype ") && row.get(1).contains(" / " + dtype), row + " " + HINT);
            }
        }
    }

    /// Digests of the tensors as loaded in a dtype.
    private static Map<String, String> converted(Path checkpoint, DType dtype) {
        try (Loader loader = Loader.builder().dtype(dtype).build(); Weights weights = loader.load(checkpoint)) {
            return new TreeMap<>(DigestList.sha256(weights));
        }
    }

    @Test
    void a_sharded_checkpoint_stays_one_unless_out_is_named_like_a_file() throws Exception {
        Path in = write(new Random(SEED), 30, WriteOptions.defaults().withMaxShardBytes(100_000));
        int files = Safetensors.open(in).files().size();
        assertTrue(files > 1);

        succeed("align", in, directory.resolve("shards"));
        succeed("convert", in, directory.resolve("one.safetensors"), "--dtype", "F32");
        succeed("convert", in.resolve("model.safetensors.index.json"), directory.resolve("half"), "--dtype", "F16");

        assertEquals(contents(in), contents(directory.resolve("shards")), HINT);
        assertTrue(Safetensors.open(directory.resolve("shards")).files().size() <= files, HINT);
        assertTrue(Files.isRegularFile(directory.resolve("one.safetensors")));
        assertSound(directory.resolve("half"));
        assertEquals(contents(directory.resolve("one.safetensors")).keySet(), contents(in).keySet());
    }

    @Test
    void a_file_goes_into_a_directory_under_its_name_and_over_itself() throws Exception {
        Path in = write(new Random(SEED), 10, WriteOptions.defaults());
        Map<String, List<String>> before = contents(in);
        Path there = Files.createDirectories(directory.resolve("there"));
        succeed("align", in, there);
        assertEquals(before, contents(there.resolve("in.safetensors")));
        succeed("align", in, in);
        assertEquals(before, contents(in));
        assertEquals(0, Safetensors.open(in).tensors().getFirst().fileOffset() % 4096);
        try (Stream<Path> left = Files.list(directory)) {
            assertEquals(List.of("in.safetensors", "there"),
                    left.map(path -> path.getFileName().toString()).sorted().toList());
        }
    }

    @Test
    void a_file_that_is_mapped_or_linked_elsewhere_keeps_its_bytes() throws Exception {
        Path in = write(new Random(SEED), 20, WriteOptions.defaults());
        byte[] old = Files.readAllBytes(in);
        Path link = Files.createLink(directory.resolve("link"), in);
        try (Arena arena = Arena.ofConfined(); FileChannel channel = FileChannel.open(in);
                Loader loader = Loader.builder().build(); Weights weights = loader.load(in)) {
            MemorySegment mapping = channel.map(FileChannel.MapMode.READ_ONLY, 0, old.length, arena);
            succeed("align", in, in);
            succeed("convert", "--dtype", "F8_E4M3", in, in);
            assertArrayEquals(old, mapping.toArray(ValueLayout.JAVA_BYTE), HINT);
            weights.awaitAll();
        }
        assertArrayEquals(old, Files.readAllBytes(link), HINT);
        assertFalse(Files.isSameFile(link, in));
    }

    @Test
    void digests_are_made_when_asked_for_and_never_stale() {
        Path in = Cli.write(directory.resolve("in.safetensors"), Cli.bytes("a", 1, 2), Cli.zeros("b", DType.F32, 4));
        Path out = directory.resolve("out.safetensors");
        succeed("align", "--digests", in, out);
        Map<String, String> metadata = Safetensors.open(out).metadata();
        assertEquals(contents(in).get("\"a\"").get(2), metadata.get("fst.sha256.a"));
        succeed("convert", "--dtype", "F16", out, in);
        assertFalse(Safetensors.open(in).metadata().containsKey("fst.sha256.b"));
    }

    @Test
    void what_cannot_be_done_is_one_line_and_leaves_what_was_there() throws Exception {
        Path in = write(new Random(SEED), 5, WriteOptions.defaults());
        Path broken = Files.write(directory.resolve("broken.safetensors"), new byte[] {1, 2, 3});
        byte[] old = Files.readAllBytes(in);
        for (Object[] args : List.of(new Object[] {"merge", broken, in},
                new Object[] {"merge", directory.resolve("absent"), in},
                new Object[] {"align", in, directory.resolve("no/such/directory.safetensors")},
                new Object[] {"merge", in, directory},
                new Object[] {"align", "--budget", "16", in, in})) {
            Cli.Result result = Cli.run(args);
            assertEquals(1, result.status(), result.out());
            assertEquals(1, result.errors().size(), result.err());
            assertTrue(result.err().startsWith("fst " + args[0] + ": "), result.err());
            assertFalse(result.err().contains("internal error"), result.err());
        }
        assertArrayEquals(old, Files.readAllBytes(in));
        try (Stream<Path> left = Files.list(directory)) {
            assertEquals(2, left.count());
        }
    }
}
