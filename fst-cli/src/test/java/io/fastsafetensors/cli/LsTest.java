package io.fastsafetensors.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.types.DType;
import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.WriteOptions;
import java.io.File;
import java.nio.file.Path;
import java.util.Set;
import java.util.Map;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class LsTest {
    // sha256 of the bytes 1, 2, 3
    private static final String DIGEST = "039058c6f2c0cb492c533b0a4d14ef77cc0f78abccced5287d84a1a2011cfb81";

    @TempDir
    private Path directory;

    @Test
    void tsv_lists_tensors_by_offset() {
        Path file = Cli.write(directory.resolve("x.safetensors"), Cli.bytes("b", 1, 2, 3),
                Cli.zeros("s", DType.F32), Cli.zeros("a", DType.BF16, 2, 3));
        Cli.Result result = Cli.run("ls", "--format", "tsv", file);
        assertEquals(0, result.status());
        assertEquals("file\tname\tdtype\tshape\tfile_offset\tnbytes", result.lines().getFirst());
        long start = Long.parseLong(result.rows().getFirst().get(4));
        assertEquals(List.of(List.of(file.toString(), "\"s\"", "F32", "[]", "" + start, "4"),
                List.of(file.toString(), "\"a\"", "BF16", "[2,3]", "" + (start + 4), "12"),
                List.of(file.toString(), "\"b\"", "U8", "[3]", "" + (start + 16), "3")), result.rows());
        assertEquals("", result.err());
    }

    @Test
    void digests_are_of_the_loaded_bytes() {
        Path file = Cli.write(directory.resolve("x.safetensors"), Cli.bytes("a", 1, 2, 3), Cli.bytes("none"));
        Cli.Result result = Cli.run("ls", "--sha256", "--device", "cpu", "--format", "tsv", file);
        assertEquals(0, result.status(), result.err());
        assertEquals("file\tname\tdtype\tshape\tfile_offset\tnbytes\tsha256", result.lines().getFirst());
        assertEquals(DIGEST, result.rows().get(0).get(6));
        assertEquals("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", result.rows().get(1).get(6));
    }

    @Test
    void names_cannot_forge_rows() {
        String name = "a\t1\nfake\u001b[2J\u202e\"\\";
        Path file = Cli.write(directory.resolve("x.safetensors"), Cli.bytes(name, 1));
        for (String format : List.of("text", "tsv", "json")) {
            Cli.Result result = Cli.run("ls", "--format", format, file);
            assertTrue(result.out().chars().noneMatch(c -> c == 0x1b || c == 0x202e), format);
        }
        Cli.Result tsv = Cli.run("ls", "--format", "tsv", file);
        assertEquals(1, tsv.rows().size());
        assertEquals(6, tsv.rows().getFirst().size());
        assertEquals(name, JsonMapper.shared().readTree(tsv.rows().getFirst().get(1)).asString());
    }

    @Test
    void json_has_numbers_and_arrays() {
        Path file = Cli.write(directory.resolve("x.safetensors"), Cli.zeros("a", DType.F32, 2, 3));
        JsonNode rows = JsonMapper.shared().readTree(Cli.run("ls", "--format", "json", file).out());
        assertEquals(1, rows.size());
        assertEquals("a", rows.get(0).get("name").asString());
        assertEquals(3, rows.get(0).get("shape").get(1).asInt());
        assertEquals(24, rows.get(0).get("nbytes").asLong());
    }

    @Test
    void directories_and_indexes_show_their_shards() {
        Path shards = Cli.writeShards(directory.resolve("m"), 1, Cli.bytes("a", 1), Cli.bytes("b", 2));
        String first = shards + File.separator + "model-00001-of-00002.safetensors";
        String second = shards + File.separator + "model-00002-of-00002.safetensors";
        Cli.Result below = Cli.run("ls", "--format", "tsv", shards);
        assertEquals(List.of(first, second), below.rows().stream().map(List::getFirst).toList());
        assertEquals(below, Cli.run("ls", "--format", "tsv", shards + "/"));
        assertEquals(below, Cli.run("ls", "--format", "tsv", shards.resolve("model.safetensors.index.json")));
        assertEquals(below.rows(), Cli.run("ls", "--sha256", "--format", "tsv", shards).rows().stream()
                .map(row -> row.subList(0, 6)).toList());
    }

    @Test
    void a_file_is_shown_as_it_was_given() {
        Path file = Cli.write(directory.resolve("x.safetensors"), Cli.bytes("a", 1));
        String crooked = file.getParent() + "/.//x.safetensors";
        assertEquals(crooked, Cli.run("ls", "--format", "tsv", crooked).rows().getFirst().getFirst());
    }

    @Test
    void text_has_columns_human_sizes_and_a_total() {
        Path file = Cli.write(directory.resolve("x.safetensors"), Cli.zeros("w", DType.F32, 512),
                Cli.bytes("longer", 1));
        List<String> lines = Cli.run("ls", file).lines();
        assertEquals(5, lines.size());
        assertEquals(file.toString(), lines.get(1));
        assertTrue(lines.get(2).startsWith("  w       F32    [512]"), lines.get(2));
        assertTrue(lines.get(2).endsWith("2.00 KiB"), lines.get(2));
        assertEquals("2 tensors in 1 file, 2.00 KiB", lines.get(4));
    }

    @Test
    void one_bad_path_does_not_hide_the_others() {
        Path file = Cli.write(directory.resolve("x.safetensors"), Cli.bytes("a", 1));
        Cli.Result result = Cli.run("ls", "--format", "tsv", directory.resolve("absent"), file);
        assertEquals(1, result.status());
        assertEquals(1, result.rows().size());
        assertEquals(1, result.errors().size());
    }

    @Test
    void metadata_of_each_file_is_listed_escaped() throws Exception {
        Path file = directory.resolve("m.safetensors");
        Safetensors.write(file, List.of(Cli.bytes("a", 1)),
                WriteOptions.defaults().withMetadata(Map.of("format", "pt", "x\u001b[2J", "line\nbreak\ttab")));
        Cli.Result result = Cli.run("ls", "--metadata", "--format", "tsv", file);
        assertEquals(0, result.status(), result.err());
        assertEquals("file\tkey\tvalue", result.lines().getFirst());
        assertEquals(Set.of(List.of(file.toString(), "\"format\"", "\"pt\""),
                List.of(file.toString(), "\"x\\u001b[2J\"", "\"line\\u000abreak\\u0009tab\"")),
                Set.copyOf(result.rows()));
        assertTrue(Cli.run("ls", "--metadata", file).out().indexOf('\u001b') < 0);
        assertEquals("2 metadata keys in 1 file", Cli.run("ls", "--metadata", file).lines().getLast());
        assertEquals(2, Cli.run("ls", "--metadata", "--sha256", file).status());
    }

    @Test
    void a_file_without_metadata_has_no_keys() throws Exception {
        Path file = directory.resolve("m.safetensors");
        Safetensors.write(file, List.of(Cli.bytes("a", 1)), WriteOptions.defaults());
        assertEquals("0 metadata keys in 1 file\n", Cli.run("ls", "--metadata", file).out());
    }
}
