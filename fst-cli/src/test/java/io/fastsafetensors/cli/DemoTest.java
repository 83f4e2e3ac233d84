package io.fastsafetensors.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DemoTest {
    @TempDir
    private Path directory;

    @Test
    void it_writes_loads_verifies_and_cleans_up() throws Exception {
        Cli.Result result = Cli.run("demo", "--dir", directory, "--size", "4MiB", "--device", "cpu");
        assertEquals(0, result.status(), result.err());
        for (String step : List.of("wrote", "loaded", "verified", "cleaned up", "SHA-256 digests right")) {
            assertTrue(result.out().contains(step), result.out());
        }
        assertTrue(result.out().indexOf('\u001b') < 0 && result.out().indexOf('\r') < 0, "no bar in a pipe");
        assertEquals("", result.err());
        assertEquals(List.of(), listing(directory));
    }

    @Test
    void what_is_kept_is_a_llama_in_two_shards() throws Exception {
        assertEquals(0, Cli.run("demo", "--dir", directory, "--size", "4MiB", "--device", "cpu", "--keep").status());
        Path kept = listing(directory).getFirst();
        assertEquals(List.of("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
                "model.safetensors.index.json"), listing(kept).stream().map(p -> p.getFileName().toString()).toList());
        Cli.Result ls = Cli.run("ls", "--format", "tsv", kept);
        assertTrue(ls.rows().stream().anyMatch(row -> row.get(1).equals("\"model.layers.0.self_attn.q_proj.weight\"")
                && row.get(2).equals("BF16")), ls.out());
        assertEquals(0, Cli.run("verify", kept).status());
    }

    @Test
    void the_default_is_one_gibibyte_with_the_real_models_layers() {
        List<LlamaShapes.Part> parts = LlamaShapes.ofBytes(1L << 30);
        long bytes = LlamaShapes.sum(parts);
        assertTrue(bytes >= 1L << 30 && bytes < (1L << 30) + 8192, bytes + " bytes");
        assertEquals(9 * 20 + 3, parts.size());
    }

    @Test
    void a_place_without_room_or_existence_is_refused() {
        Cli.Result full = Cli.run("demo", "--dir", directory, "--size", "1000TiB");
        assertEquals(1, full.status());
        assertEquals(1, full.errors().size(), full.err());
        assertTrue(full.err().contains("free"), full.err());
        Cli.Result absent = Cli.run("demo", "--dir", directory.resolve("absent"), "--size", "1MiB");
        assertEquals(1, absent.status());
        assertTrue(absent.err().contains("--dir"), absent.err());
    }

    private static List<Path> listing(Path directory) throws Exception {
        try (Stream<Path> entries = Files.list(directory)) {
            return entries.sorted().toList();
        }
    }
}
