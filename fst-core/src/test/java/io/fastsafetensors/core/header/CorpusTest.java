package io.fastsafetensors.core.header;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.OpenOptions;
import io.fastsafetensors.error.FormatError;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.test.SampleFiles;
import io.fastsafetensors.types.TensorInfo;
import java.io.IOException;
import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// Files that other people's tools wrote: every verdict, and every tensor of the valid ones.
class CorpusTest {
    private static Path corpus;

    @BeforeEach
    void requireCorpus() {
        corpus = SampleFiles.folder();
    }

    @Test
    void verdicts_are_the_manifests() throws IOException {
        Map<String, String> wrong = new HashMap<>();
        for (String[] row : rows("MANIFEST.tsv")) {
            String expected = row[row.length - 1];
            String verdict = verdict(corpus.resolve(row[0]));
            boolean right = expected.equals("valid") ? verdict.equals(VerdictFiles.OK)
                    : verdict.equals(Arrays.stream(FormatError.values()).map(FormatError::label)
                            .filter(label -> expected.matches(".*\\b" + label + "\\b.*")).findFirst().orElseThrow());
            if (!right) {
                wrong.put(row[0], verdict + " instead of " + expected);
            }
        }
        assertEquals(Map.of(), wrong);
    }

    @Test
    void tensors_are_the_golden_ones() throws IOException {
        Map<String, Set<String>> golden = new HashMap<>();
        for (String[] row : rows("GOLDEN.tsv")) {
            golden.computeIfAbsent(row[0], key -> new TreeSet<>())
                    .add(line(name(row[1]), row[2], row[3], row[4], row[5]));
        }
        assertTrue(golden.size() > 1);
        for (String[] row : rows("MANIFEST.tsv")) {
            if (row[row.length - 1].equals("valid")) {
                assertEquals(golden.getOrDefault(row[0], Set.of()), lines(corpus.resolve(row[0])), row[0]);
            }
        }
    }

    @Test
    void sharded_checkpoint_is_its_shards() throws IOException {
        Path directory = corpus.resolve("julia_sharded");
        ParsedCheckpoint checkpoint = Opened.checkpoint(directory, OpenOptions.defaults());
        assertEquals(6, checkpoint.files().size());
        Set<String> golden = rows("GOLDEN.tsv").stream().filter(row -> row[0].startsWith("julia_sharded/"))
                .map(row -> name(row[1])).collect(Collectors.toSet());
        assertEquals(golden, Set.copyOf(checkpoint.names()));
        assertEquals(4305, checkpoint.byteSize());
    }

    private static String verdict(Path file) {
        try {
            Opened.header(file, OpenOptions.defaults());
            return VerdictFiles.OK;
        } catch (FormatException e) {
            return e.errorName();
        }
    }

    private static Set<String> lines(Path file) {
        Set<String> lines = new TreeSet<>();
        for (TensorInfo tensor : Opened.header(file, OpenOptions.defaults()).tensors()) {
            assertTrue(lines.add(line(tensor.name(), tensor.dtype().name(), tensor.shape().toString(),
                    Long.toString(tensor.fileOffset()), Long.toString(tensor.byteSize()))));
        }
        return lines;
    }

    private static String line(String... columns) {
        return String.join("\t", columns);
    }

    private static String name(String json) {
        try (JsonCursor cursor = new JsonCursor(new StringReader("{" + json + ":0}"), () -> true)) {
            cursor.beginDocument();
            return Objects.requireNonNull(cursor.nextName());
        }
    }

    private static List<String[]> rows(String table) throws IOException {
        return Files.readAllLines(corpus.resolve(table)).stream().skip(1).map(line -> line.split("\t", -1)).toList();
    }
}
