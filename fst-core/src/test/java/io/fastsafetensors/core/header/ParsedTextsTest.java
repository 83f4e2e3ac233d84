package io.fastsafetensors.core.header;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.fastsafetensors.api.OpenOptions;
import io.fastsafetensors.core.checkpoint.CheckpointFiles;
import io.fastsafetensors.core.storage.TestSources;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.types.Location;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Checks that a loader uses what it keeps of a header for the same text only.
class ParsedTextsTest {
    private static final OpenOptions STRICT = OpenOptions.defaults();
    private static final OpenOptions LENIENT = OpenOptions.defaults().withLenient(true);
    private static final String TWO = TestFile.header(TestFile.entry("first", "U8", "[4]", 0, 4),
            TestFile.entry("other", "U8", "[4]", 4, 8));

    private final ParsedTexts parsed = ParsedTexts.ofLoader();

    @TempDir
    Path directory;

    private static ParsedCheckpoint open(Path path, OpenOptions options, ParsedTexts parsed) {
        return TestSources.using(sources -> CheckpointReader.open(
                CheckpointFiles.resolve(Location.of(path), sources, options), sources, options, parsed, Runnable::run));
    }

    private ParsedCheckpoint open(Path path) {
        return open(path, STRICT, parsed);
    }

    private FileHeader header(Path path) {
        return open(path).headers().getFirst();
    }

    @Test
    void an_unchanged_header_is_not_parsed_again() {
        Path file = TestFile.write(directory.resolve("a.safetensors"), TestFile.of(TWO, 8));
        List<?> tensors = header(file).tensors();
        assertSame(tensors, header(file).tensors());
    }

    @Test
    void a_header_with_another_byte_is_parsed_though_length_and_times_are_the_same() throws IOException {
        Path file = TestFile.write(directory.resolve("a.safetensors"), TestFile.of(TWO, 8));
        header(file);
        var time = Files.getLastModifiedTime(file);
        TestFile.write(file, TestFile.of(TWO.replace("other", "ether"), 8));
        Files.setLastModifiedTime(file, time);
        assertEquals("ether", header(file).tensors().get(1).name());
    }

    @Test
    void a_file_of_another_length_is_judged_again() {
        Path file = TestFile.write(directory.resolve("a.safetensors"), TestFile.of(TWO, 8));
        header(file);
        TestFile.write(file, TestFile.of(TWO, 7));
        assertThrows(FormatException.class, () -> header(file));
        TestFile.write(file, TestFile.of(TWO, 9));
        assertThrows(FormatException.class, () -> header(file));
    }

    @Test
    void a_header_that_was_taken_leniently_is_refused_without_that() {
        Path file = TestFile.write(directory.resolve("a.safetensors"),
                TestFile.of(TestFile.header(TestFile.entry("x", "F5_E1M3", "[4]", 0, 4)), 4));
        open(file, LENIENT, parsed);
        assertThrows(FormatException.class, () -> open(file, STRICT, parsed));
        open(file, LENIENT, parsed);
    }

    @Test
    void a_header_over_a_lower_cap_is_refused_though_it_is_known() {
        Path file = TestFile.write(directory.resolve("a.safetensors"), TestFile.of(TWO, 8));
        header(file);
        assertThrows(FormatException.class, () -> open(file, STRICT.withMaxHeaderBytes(16), parsed));
    }

    @Test
    void what_is_cleared_is_parsed_again() {
        Path file = TestFile.write(directory.resolve("a.safetensors"), TestFile.of(TWO, 8));
        List<?> tensors = header(file).tensors();
        parsed.clear();
        assertNotSame(tensors, header(file).tensors());
    }

    @Test
    void an_index_that_names_other_shards_is_read_again() {
        for (String shard : List.of("a", "b")) {
            TestFile.write(directory.resolve(shard + ".safetensors"),
                    TestFile.of(TestFile.header(TestFile.entry("x", "U8", "[4]", 0, 4)), 4));
        }
        Path index = directory.resolve("model.safetensors.index.json");
        for (String shard : List.of("a", "b", "a")) {
            TestFile.write(index, "{\"weight_map\":{\"x\":\"" + shard + ".safetensors\"}}");
            assertEquals(shard + ".safetensors", header(directory).location().name());
            assertEquals(shard + ".safetensors", header(directory).location().name());
        }
    }

    @Test
    void a_loader_sees_every_version_of_a_header_as_one_that_opens_it_for_the_first_time() {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        Path file = directory.resolve("a.safetensors");
        byte[] text = TWO.getBytes(StandardCharsets.UTF_8);
        for (int round = 0; round < 300; round++) {
            byte[] changed = text.clone();
            if (random.nextInt(3) > 0) {
                changed[random.nextInt(changed.length)] = (byte) (random.nextBoolean() ? ' ' : random.nextInt(128));
            }
            TestFile.write(file, TestFile.of(changed, 8));
            assertEquals(outcome(file, ParsedTexts.none()), outcome(file, parsed),
                    () -> "seed " + seed + ", header " + new String(changed, StandardCharsets.UTF_8));
        }
    }

    private static Object outcome(Path file, ParsedTexts parsed) {
        try {
            return open(file, STRICT, parsed).headers();
        } catch (FormatException e) {
            return String.valueOf(e.getMessage());
        }
    }

    @Test
    void more_text_than_a_loader_keeps_is_parsed_each_time_and_right() {
        StringBuilder metadata = new StringBuilder();
        for (int i = 0; i < 40; i++) {
            metadata.append(metadata.isEmpty() ? "" : ",").append("\"k").append(i).append("\":\"")
                    .append("v".repeat(1_000_000)).append('"');
        }
        Path file = TestFile.write(directory.resolve("a.safetensors"),
                TestFile.of("{\"__metadata__\":{" + metadata + "},"
                        + TestFile.entry("x", "U8", "[4]", 0, 4) + "}", 4));
        List<?> tensors = header(file).tensors();
        assertNotSame(tensors, header(file).tensors());
        assertEquals(tensors, header(file).tensors());
    }
}
