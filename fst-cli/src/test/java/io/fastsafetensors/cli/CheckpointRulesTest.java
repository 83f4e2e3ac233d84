package io.fastsafetensors.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Checkpoint;
import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Location;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The rules about directories, indexes and files of other kinds, as the commands apply them.
class CheckpointRulesTest {
    private static final String FIRST = "model-00001-of-00002.safetensors";
    private static final String SECOND = "model-00002-of-00002.safetensors";
    private static final String INDEX = "model.safetensors.index.json";

    @TempDir
    private Path directory;

    /// Two shards with metadata of their own, and an index with keys of its own.
    private Path shards(String totalSize) throws Exception {
        Path model = Files.createDirectories(directory.resolve("model"));
        write(model.resolve(FIRST), Map.of("format", "pt", "part", "1"), Cli.zeros("a", DType.F32, 4));
        write(model.resolve(SECOND), Map.of("format", "pt", "part", "2"), Cli.zeros("b", DType.F32, 8));
        Files.writeString(model.resolve(INDEX), "{\"made_by\": [1, \"ü\"], \"metadata\": {\"total_size\": " + totalSize
                + ", \"note\": \"keep\", \"n\": {\"x\": 2.50}}, \"weight_map\": {\"a\": \"" + FIRST + "\", \"b\": \""
                + SECOND + "\"}}");
        return model;
    }

    private static void write(Path file, Map<String, String> metadata, TensorSource... tensors) {
        Safetensors.write(file, List.of(tensors), WriteOptions.defaults().withMetadata(metadata));
    }

    @Test
    void verify_shows_notes_and_strict_refuses_them() throws Exception {
        Path model = shards("7");
        Files.copy(model.resolve(FIRST), model.resolve("consolidated.safetensors"));
        Cli.Result text = Cli.run("verify", model);
        assertEquals(0, text.status());
        assertEquals(4, text.lines().size(), text.out());
        assertTrue(text.lines().get(1).contains("OK")
                && text.lines().get(2).contains("[TotalSizeMismatch] total_size is 7")
                && text.lines().get(3).contains("[FilesLeftAside] 1 file is left aside"), text.out());
        Cli.Result tsv = Cli.run("verify", "--format", "tsv", model);
        assertEquals("path\tverdict\tmessage\tnotes", tsv.lines().getFirst());
        assertEquals("OK", tsv.rows().getFirst().get(1));
        assertTrue(tsv.rows().getFirst().get(3).contains("[TotalSizeMismatch]")
                && tsv.rows().getFirst().get(3).contains("consolidated.safetensors"), tsv.out());
        Cli.Result strict = Cli.run("verify", "--strict", "--format", "tsv", model);
        assertEquals(1, strict.status());
        assertEquals("TotalSizeMismatch", strict.rows().getFirst().get(1));
        assertTrue(strict.rows().getFirst().get(3).contains("[FilesLeftAside]"), strict.out());
        assertTrue(Cli.run("verify", "--format", "json", model).out().contains("\"notes\":[\"[TotalSizeMismatch]"));
        assertEquals(0, Cli.run("verify", "--strict", model.resolve(FIRST)).status());
    }

    @Test
    void every_command_opens_leniently_strictly_and_by_variant() throws Exception {
        Path trailing = Cli.write(directory.resolve("trailing.safetensors"), Cli.zeros("a", DType.F32, 4));
        Files.write(trailing, new byte[5], StandardOpenOption.APPEND);
        Path noted = shards("7");
        Path variants = Files.createDirectories(directory.resolve("variants"));
        Cli.write(variants.resolve("x.fp16.safetensors"), Cli.zeros("half", DType.F16, 4));
        Cli.write(variants.resolve("x.bf16.safetensors"), Cli.zeros("brain", DType.BF16, 4));
        for (String command : List.of("ls", "ls --sha256", "ls --metadata", "verify", "load", "load --drop-cache",
                "doctor",
                "convert --dtype F16", "align", "split --max-shard-size 1GB", "merge", "diff")) {
            assertRefused(command, trailing, "", "lenient");
            assertAccepted(command, trailing, "--lenient");
            assertAccepted(command, noted, "");
            assertRefused(command, noted, "--strict", "total_size is 7");
            assertRefused(command, variants, "", "x.bf16.safetensors, x.fp16.safetensors");
            assertAccepted(command, variants, "--variant fp16");
        }
    }

    private void assertAccepted(String command, Path in, String option) {
        Cli.Result result = run(command, in, option);
        assertEquals(0, result.status(), command + " " + option + ": " + result);
    }

    private void assertRefused(String command, Path in, String option, String part) {
        Cli.Result result = run(command, in, option);
        assertEquals(1, result.status(), command + " " + option + ": " + result);
        assertTrue((result.out() + result.err()).contains(part), command + " " + option + ": " + result);
        assertFalse((result.out() + result.err()).contains("1073741824"), result.toString());
    }

    private Cli.Result run(String command, Path in, String option) {
        Path out = directory.resolve("out" + System.nanoTime()
                + (command.startsWith("merge") ? ".safetensors" : ""));
        String line = command + (option.isEmpty() ? "" : " " + option);
        Object[] words = line.split(" ");
        boolean rewrites = List.of("convert", "align", "split", "merge").contains(words[0]);
        Object second = rewrites ? out : in;
        boolean two = rewrites || words[0].equals("diff");
        Object[] all = new Object[words.length + (two ? 2 : 1)];
        System.arraycopy(words, 0, all, 0, words.length);
        all[words.length] = in;
        if (two) {
            all[words.length + 1] = second;
        }
        return Cli.run(all);
    }

    @Test
    void only_indexed_loads_what_the_index_names() throws Exception {
        Path model = Files.createDirectories(directory.resolve("model"));
        write(model.resolve("m.safetensors"), Map.of(), Cli.zeros("a", DType.F32, 4), Cli.zeros("b", DType.F32, 4));
        Files.writeString(model.resolve(INDEX), "{\"weight_map\": {\"a\": \"m.safetensors\"}}");
        assertEquals("32", Cli.run("load", "--format", "tsv", model).metrics().get("bytes"));
        assertEquals("16", Cli.run("load", "--only-indexed", "--format", "tsv", model).metrics().get("bytes"));
        assertTrue(Cli.run("ls", model).err().contains("note: [TensorNotInIndex] 1 tensor"));
    }

    @Test
    void rewriting_keeps_each_files_metadata_and_the_keys_of_the_index() throws Exception {
        Path model = shards("48");
        for (String command : List.of("convert --dtype F16", "align")) {
            Path out = directory.resolve(command.substring(0, 5));
            Object[] words = (command + " " + model + " " + out).split(" ");
            Cli.Result result = Cli.run(words);
            assertEquals(0, result.status(), result.err());
            assertEquals("", result.err());
            Checkpoint written = Safetensors.open(out);
            assertEquals(List.of(), written.notes());
            assertEquals(List.of(FIRST, SECOND), written.files().stream().map(Location::name).toList());
            assertEquals(Map.of("format", "pt", "part", "1"), written.metadata(written.files().get(0)));
            assertEquals(Map.of("format", "pt", "part", "2"), written.metadata(written.files().get(1)));
            String index = Files.readString(out.resolve(INDEX));
            assertTrue(index.contains("\"note\": \"keep\"") && index.contains("\"n\": {\"x\":2.50}")
                    && index.contains("\"made_by\": [1,\"\\u00fc\"]") && index.contains("\"total_size\": "
                            + (command.startsWith("align") ? 48 : 24)),
                    index);
        }
        Path again = directory.resolve("again");
        assertEquals(0, Cli.run("split", "--max-shard-size", "20", model, again).status());
        assertTrue(Files.readString(again.resolve(INDEX)).contains("\"note\": \"keep\""));
    }

    @Test
    void a_metadata_key_that_cannot_be_kept_for_each_file_is_told() throws Exception {
        Path out = directory.resolve("one.safetensors");
        Cli.Result result = Cli.run("merge", shards("48"), out);
        assertEquals(0, result.status());
        assertEquals(
                List.of("fst merge: note: the files have 2 values of metadata key \"part\"; the last one's is kept"),
                result.errors());
        assertEquals(Map.of("format", "pt", "part", "2"), Safetensors.open(out).metadata());
    }

    @Test
    void an_index_under_another_name_keeps_it() throws Exception {
        Path model = shards("48");
        Files.move(model.resolve(INDEX), model.resolve("model.safetensors.index.fp16.json"));
        Path out = directory.resolve("out");
        assertEquals(0, Cli.run("align", model, out).status());
        assertTrue(Files.exists(out.resolve("model.safetensors.index.fp16.json")));
        assertEquals(2, Safetensors.open(out).files().size());
    }
}
