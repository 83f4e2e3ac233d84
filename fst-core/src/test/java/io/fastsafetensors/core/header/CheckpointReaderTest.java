package io.fastsafetensors.core.header;

import static io.fastsafetensors.core.header.TestFile.entry;
import static io.fastsafetensors.core.header.TestFile.header;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.CheckpointNote;
import io.fastsafetensors.api.OpenOptions;
import io.fastsafetensors.core.checkpoint.CheckpointFiles;
import io.fastsafetensors.core.storage.TestSources;
import io.fastsafetensors.error.FormatError;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.error.LoadInterruptedException;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.error.TensorNotFoundException;
import io.fastsafetensors.testkit.fixture.SafetensorsFixture;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.Shape;
import io.fastsafetensors.types.TensorInfo;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The contents of checkpoints of several files, beside their verdicts.
class CheckpointReaderTest {
    @TempDir
    Path directory;

    @Test
    void files_are_taken_together_in_order() {
        Path a = write("m-1", header("\"__metadata__\":{\"k\":\"1\",\"x\":\"a\"}", u8("t2", 4, 8), u8("t1", 0, 4)), 8);
        Path b = write("m-2", header("\"__metadata__\":{\"y\":\"b\",\"k\":\"2\"}", u8("t0", 0, 4)), 4);
        Path c = write("m-3", "{}", 0);
        ParsedCheckpoint checkpoint = open(directory);
        assertEquals(Location.of(directory), checkpoint.location());
        assertEquals(locations(a, b, c), checkpoint.files());
        assertEquals(checkpoint.files(), checkpoint.headers().stream().map(FileHeader::location).toList());
        assertEquals(List.of("t1", "t2", "t0"), checkpoint.tensors().stream().map(TensorInfo::name).toList());
        assertEquals(List.of("t1", "t2", "t0"), List.copyOf(checkpoint.names()));
        assertTrue(checkpoint.names().contains("t0"));
        assertFalse(checkpoint.names().contains("t3"));
        assertSame(checkpoint.tensors().get(2), checkpoint.info("t0"));
        assertEquals(Location.of(b), checkpoint.info("t0").file());
        assertEquals(12, checkpoint.byteSize());
        assertEquals(Map.of("k", "2", "x", "a", "y", "b"), checkpoint.metadata());
        assertEquals(Map.of("k", "1", "x", "a"), checkpoint.metadata(Location.of(a)));
        assertEquals(Map.of(), checkpoint.metadata(Location.of(c)));
        assertThrows(IllegalArgumentException.class, () -> checkpoint.metadata(Location.of(directory)));
        assertThrows(UnsupportedOperationException.class, () -> checkpoint.tensors().clear());
        assertThrows(UnsupportedOperationException.class, () -> checkpoint.headers().clear());
        assertThrows(UnsupportedOperationException.class, () -> checkpoint.metadata().clear());
        assertThrows(UnsupportedOperationException.class, () -> checkpoint.names().remove("t0"));
    }

    @Test
    void list_keeps_its_order() {
        Path a = write("a", "t1");
        Path b = write("b", "t0");
        ParsedCheckpoint checkpoint = Opened.checkpoint(List.of(b, a), OpenOptions.defaults());
        assertEquals(locations(b, a), checkpoint.files());
        assertEquals(List.of("t0", "t1"), List.copyOf(checkpoint.names()));
    }

    @Test
    void shards_of_an_index_come_by_name() throws IOException {
        CheckpointVerdicts.index(directory, CheckpointVerdicts.map("b", "m-2.safetensors", "a", "m-1.safetensors"));
        Path index = directory.resolve("model.safetensors.index.json");
        for (Path path : List.of(directory, index)) {
            ParsedCheckpoint checkpoint = open(path);
            assertEquals(Location.of(path), checkpoint.location());
            assertEquals(locations(directory.resolve("m-1.safetensors"), directory.resolve("m-2.safetensors")),
                    checkpoint.files());
            assertEquals(8, checkpoint.byteSize());
        }
    }

    @Test
    void snapshot_of_links_is_opened() throws IOException {
        Path folder = directory.resolve("models--org--name");
        Path blobs = folder.resolve("blobs");
        CheckpointVerdicts.index(blobs, CheckpointVerdicts.map("b", "m-2.safetensors", "a", "m-1.safetensors"));
        Path snapshot = Files.createDirectories(folder.resolve("snapshots/0123"));
        for (String name : List.of("m-1.safetensors", "m-2.safetensors", "model.safetensors.index.json")) {
            Files.move(blobs.resolve(name), blobs.resolve("blob-of-" + name));
            Files.createSymbolicLink(snapshot.resolve(name), Path.of("../../blobs/blob-of-" + name));
        }
        TestFile.write(folder.resolve("refs/main"), "0123");
        ParsedCheckpoint checkpoint = open(folder);
        assertEquals(Location.of(folder), checkpoint.location());
        assertEquals(locations(snapshot.resolve("m-1.safetensors"), snapshot.resolve("m-2.safetensors")),
                checkpoint.files());
        Files.delete(blobs.resolve("blob-of-m-2.safetensors"));
        assertError(FormatError.MISSING_SHARD, folder, snapshot.resolve("m-2.safetensors").toString());
    }

    @Test
    void a_shard_that_cannot_be_reached_is_not_missing() throws IOException {
        CheckpointVerdicts.index(directory, CheckpointVerdicts.map("b", "m-2.safetensors", "a", "m-1.safetensors"));
        Path shard = directory.resolve("m-2.safetensors");
        Files.delete(shard);
        Files.createSymbolicLink(shard, shard.getFileName());
        StorageException e = assertThrows(StorageException.class, () -> open(directory));
        assertTrue(e.getMessage().contains("ELOOP") && e.getMessage().contains(shard.toString()), e.getMessage());
    }

    @Test
    void error_of_the_first_file_wins() {
        List<Path> files = new ArrayList<>();
        for (int i = 0; i < 40; i++) {
            // The first bad one takes longest to be found bad.
            String text = i == 20 ? "{" + " ".repeat(2_000_000) + "]" : i > 20 ? "{]" : "{}";
            files.add(write(String.format("m-%02d", i), text, 0));
        }
        for (int round = 0; round < 10; round++) {
            FormatException e = assertThrows(FormatException.class, () -> open(directory));
            assertEquals(files.get(20).toString(), e.where().file());
        }
    }

    @Test
    void no_thread_stays_behind() throws InterruptedException {
        for (int i = 0; i < 8; i++) {
            write("m-" + i, i < 4 ? "{}" : "{]", 0);
        }
        assertThrows(FormatException.class, () -> open(directory));
        // A thread that has done its work needs a moment to end.
        for (Thread thread : Thread.getAllStackTraces().keySet()) {
            if (thread.getName().startsWith("fst-header")) {
                assertTrue(thread.join(Duration.ofSeconds(60)), thread.getName());
            }
        }
    }

    @Test
    void an_error_of_the_index_goes_before_those_of_shards_that_are_read_meanwhile() {
        String big = "{" + " ".repeat(2_000_000) + "]";
        write("m-1", big, 0);
        write("m-2", "{]", 0);
        Path index = directory.resolve("model.safetensors.index.json");
        String maps = "{\"weight_map\":{\"a\":\"m-1.safetensors\",\"b\":\"m-2.safetensors\"";
        for (int round = 0; round < 10; round++) {
            TestFile.write(index, maps + ",\"c\":17}}");
            assertError(FormatError.INVALID_INDEX, directory, index.toString());
            TestFile.write(index, maps + ",\"c\":\"m-3.safetensors\"}}");
            assertError(FormatError.MISSING_SHARD, directory, "m-3.safetensors");
            TestFile.write(index, maps + ",\"c\":\"../m\"}}");
            assertError(FormatError.UNSAFE_SHARD_NAME, directory, "../m");
            TestFile.write(index, maps + "}}");
            assertError(FormatError.INVALID_HEADER_DESERIALIZATION, directory, "m-1.safetensors");
        }
    }

    @Test
    void interrupt_ends_the_wait() {
        write("m-1", "{}", 0);
        write("m-2", "{}", 0);
        Thread.currentThread().interrupt();
        assertThrows(LoadInterruptedException.class, () -> open(directory));
        assertTrue(Thread.interrupted());
    }

    @Test
    void duplicate_names_both_files() {
        Path a = write("m-1", "t");
        Path b = write("m-2", "t");
        assertError(FormatError.DUPLICATE_TENSOR_NAME, directory, a.toString());
        assertError(FormatError.DUPLICATE_TENSOR_NAME, directory, b.toString());
    }

    @Test
    void an_index_says_which_files_count_and_files_say_which_tensors_there_are() {
        write("m-1", header(u8("a", 0, 4), u8("x", 4, 8), u8("y", 8, 12)), 12);
        write("m-2", header(u8("a", 0, 4), u8("b", 4, 8)), 8);
        TestFile.write(directory.resolve("model.safetensors.index.json"), "{\"metadata\":{\"total_size\":99},"
                + CheckpointVerdicts.map("a", "m-1.safetensors", "gone", "m-2.safetensors", "b", "m-1.safetensors",
                        "c", "m-2.safetensors").substring(1));
        ParsedCheckpoint checkpoint = open(directory);
        assertEquals(List.of("a", "x", "y", "b"), List.copyOf(checkpoint.names()));
        assertEquals("m-1.safetensors", checkpoint.info("a").file().name());
        assertEquals(16, checkpoint.byteSize());
        List<String> notes = checkpoint.notes().stream().map(note -> note.errorName() + " " + note.text()).toList();
        assertEquals(5, notes.size(), notes.toString());
        assertTrue(notes.get(0).startsWith("TensorNotInShard 2 names") && notes.get(0).contains("\"gone\", \"c\""),
                notes.get(0));
        assertTrue(notes.get(1).startsWith("TensorNotInShard 1 tensor loaded from another shard"), notes.get(1));
        assertTrue(notes.get(2).startsWith("TensorNotInIndex 2 tensors") && notes.get(2).contains("onlyIndexed"),
                notes.get(2));
        assertTrue(notes.get(3).startsWith("DuplicateTensorName 1 tensor") && notes.get(3).contains("\"a\""),
                notes.get(3));
        assertTrue(notes.get(4).startsWith("TotalSizeMismatch total_size is 99, the tensors have 16"), notes.get(4));
        TensorNotFoundException absent = assertThrows(TensorNotFoundException.class, () -> checkpoint.info("gone"));
        assertTrue(absent.getMessage().contains("the index maps it to m-2.safetensors"), absent.getMessage());
        ParsedCheckpoint only = Opened.checkpoint(directory, OpenOptions.defaults().withOnlyIndexed(true));
        assertEquals(List.of("a", "b"), List.copyOf(only.names()));
        assertEquals(8, only.byteSize());
        assertEquals(5, only.notes().size());
    }

    @Test
    void a_total_of_the_named_tensors_is_as_good_as_one_of_all() {
        for (int total : new int[] {4, 12, 8}) {
            CheckpointVerdicts.shards(directory);
            write("m-1", header(u8("a", 0, 4), u8("x", 4, 8), u8("y", 8, 12)), 12);
            TestFile.write(directory.resolve("model.safetensors.index.json"), "{\"metadata\":{\"total_size\":" + total
                    + ".0}," + CheckpointVerdicts.map("a", "m-1.safetensors").substring(1));
            List<String> notes = open(directory.resolve("model.safetensors.index.json")).notes().stream()
                    .map(CheckpointNote::errorName).toList();
            assertEquals(total == 8 ? List.of("TensorNotInIndex", "TotalSizeMismatch") : List.of("TensorNotInIndex"),
                    notes);
        }
    }

    @Test
    void keys_of_an_index_are_read_as_they_are_spelled() {
        String map = CheckpointVerdicts.map("a", "m-1.safetensors", "b", "m-2.safetensors");
        String weights = map.substring(1, map.length() - 1);
        CheckpointVerdicts.index(directory, "{\"a\": [1, {\"b\" : null, \"c\":\"\u00fc\\n\"}, true, []], \"metadata\":"
                + "{\"total_size\": 8, \"n\": 1.50e+3, \"t\": {}}, "
                + weights + ", \"z\": 0}");
        IndexKeys keys = TestSources.using(sources -> CheckpointReader.open(CheckpointFiles
                .resolve(Location.of(directory), sources, OpenOptions.defaults()), sources, OpenOptions.defaults())
                .indexKeys());
        assertEquals(Map.of("n", "1.50e+3", "t", "{}"), keys.metadata());
        assertEquals(Map.of("a", "[1,{\"b\":null,\"c\":\"\\u00fc\\u000a\"},true,[]]", "z", "0"), keys.others());
    }

    @Test
    void broken_index_is_told_with_its_place() {
        CheckpointVerdicts.index(directory, "{\n  \"weight_map\": {\n    \"a\": 17\n  }\n}");
        assertError(FormatError.INVALID_INDEX, directory, "line 3, column ");
    }

    @Test
    void unsafe_shard_name_is_escaped() {
        CheckpointVerdicts.index(directory, CheckpointVerdicts.map("a", "../\\u001b[2J"));
        assertError(FormatError.UNSAFE_SHARD_NAME, directory, "../\\u001b[2J");
    }

    @Test
    void index_that_is_a_directory_or_too_long_is_refused() throws IOException {
        Path index = directory.resolve("x.json");
        Files.createDirectory(index);
        assertThrows(FormatException.class, () -> open(index));
        Path sparse = directory.resolve("y.json");
        try (RandomAccessFile file = new RandomAccessFile(sparse.toFile(), "rw")) {
            file.setLength((256L << 20) + 1);
        }
        assertError(FormatError.INVALID_INDEX, sparse, "more than");
    }

    @Test
    void shard_that_is_a_directory_is_a_storage_error() throws IOException {
        TestFile.write(directory.resolve("x.json"), CheckpointVerdicts.map("a", "sub"));
        Files.createDirectory(directory.resolve("sub"));
        assertThrows(StorageException.class, () -> open(directory.resolve("x.json")));
    }

    @Test
    void unknown_name_hints_at_close_ones() {
        String[] entries =
                IntStream.range(0, 100).mapToObj(i -> u8("model.layers." + i + ".mlp.weight", 4L * i, 4L * i + 4))
                        .toArray(String[]::new);
        write("a", header(entries), 400);
        ParsedCheckpoint checkpoint = open(directory);
        assertHint(checkpoint, "layers.7.mlp.weight", "\"model.layers.7.mlp.weight\"");
        assertHint(checkpoint, "model.layers.42.mlp.weights", "\"model.layers.42.mlp.weight\"");
        assertHint(checkpoint, "MODEL.LAYERS.5.MLP.WEIGHT", "\"model.layers.5.mlp.weight\"");
        TensorNotFoundException e = assertThrows(TensorNotFoundException.class, () -> checkpoint.info("zzz\u001b"));
        assertFalse(e.getMessage().contains("did you mean") || e.getMessage().contains("\u001b"), e.getMessage());
    }

    private static void assertHint(ParsedCheckpoint checkpoint, String asked, String hint) {
        TensorNotFoundException e = assertThrows(TensorNotFoundException.class, () -> checkpoint.info(asked));
        assertTrue(e.getMessage().contains("did you mean " + hint), e.getMessage());
    }

    private static void assertError(FormatError error, Path path, String part) {
        FormatException e = assertThrows(FormatException.class, () -> open(path));
        assertEquals(error, e.error(), e.getMessage());
        assertTrue(e.getMessage().contains(part), e.getMessage());
    }

    private static ParsedCheckpoint open(Path path) {
        return Opened.checkpoint(path, OpenOptions.defaults());
    }

    /// A file of one tensor of 4 bytes.
    private Path write(String name, String tensor) {
        return SafetensorsFixture.create().tensor(tensor, DType.U8, Shape.of(4), 0)
                .write(directory.resolve(name + ".safetensors")).path();
    }

    private Path write(String name, String header, int dataBytes) {
        return TestFile.write(directory.resolve(name + ".safetensors"), TestFile.of(header, dataBytes));
    }

    private static String u8(String name, long begin, long end) {
        return entry(name, "U8", "[4]", begin, end);
    }

    private static List<Location> locations(Path... paths) {
        return Arrays.stream(paths).map(Location::of).toList();
    }
}
