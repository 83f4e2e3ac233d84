package io.fastsafetensors.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.types.DType;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.json.JsonMapper;

class LoadTest {
    private static final List<String> REQUIRED = List.of("bytes", "files", "tensors", "seconds_plan",
            "seconds_first_tensor", "seconds_all", "gb_per_s", "cached_before", "peak_rss_bytes", "peak_staging_bytes",
            "peak_device_bytes", "backend", "why", "seconds_all_min", "seconds_all_max");

    @TempDir
    private Path directory;
    private Path shards;

    @BeforeEach
    void writeCheckpoint() {
        shards = Cli.writeShards(directory.resolve("m"), 4000, Cli.zeros("layer.0.w", DType.F32, 1000),
                Cli.zeros("layer.1.w", DType.F32, 1000), Cli.bytes("mask", 1, 0, 1));
    }

    @Test
    void the_timeline_tells_the_steps_of_the_first_load_in_their_order() {
        Map<String, String> metrics =
                Cli.run("load", "--timeline", "--repeat", "2", "--format", "tsv", shards).metrics();
        double last = 0;
        for (String step : List.of("at_command", "at_device_open", "at_load", "at_plan", "at_first_tensor", "at_all")) {
            double at = Double.parseDouble(metrics.get(step));
            assertTrue(at >= last, () -> step + " in " + metrics);
            last = at;
        }
        assertFalse(Cli.run("load", "--format", "tsv", shards).metrics().containsKey("at_all"));
    }

    @Test
    void every_metric_is_there_under_its_name() {
        Cli.Result result = Cli.run("load", "--format", "tsv", shards);
        assertEquals(0, result.status(), result.err());
        assertEquals("metric\tvalue", result.lines().getFirst());
        Map<String, String> metrics = result.metrics();
        assertTrue(metrics.keySet().containsAll(REQUIRED), metrics.keySet().toString());
        assertEquals("8003", metrics.get("bytes"));
        assertEquals("3", metrics.get("tensors"));
        assertEquals("cpu", metrics.get("backend"));
        double seconds = Double.parseDouble(metrics.get("seconds_all"));
        assertTrue(seconds > 0 && seconds >= Double.parseDouble(metrics.get("seconds_plan")), metrics.toString());
        assertTrue(Long.parseLong(metrics.get("peak_rss_bytes")) != 0, metrics.toString());
        assertEquals("", result.err());
    }

    @Test
    void repeats_are_fresh_loads_with_a_spread() {
        Map<String, String> metrics = Cli.run("load", "--format", "tsv", "--repeat", "5", shards).metrics();
        assertEquals("5", metrics.get("repeats"));
        assertEquals("8003", metrics.get("bytes"));
        double middle = Double.parseDouble(metrics.get("seconds_all"));
        assertTrue(Double.parseDouble(metrics.get("seconds_all_min")) <= middle
                && middle <= Double.parseDouble(metrics.get("seconds_all_max")), metrics.toString());
    }

    @Test
    void only_what_was_selected_is_loaded() {
        assertEquals("4000",
                Cli.run("load", "--format", "tsv", "--select", "layer.1.*", shards).metrics().get("bytes"));
        assertEquals("4003", Cli.run("load", "--format", "tsv", "--select", "layer.1.*", "--select", "mask", shards)
                .metrics().get("bytes"));
    }

    @Test
    void a_budget_that_is_too_small_is_refused() {
        Cli.Result result = Cli.run("load", "--budget", "1KiB", shards);
        assertEquals(1, result.status());
        assertEquals(1, result.errors().size(), result.err());
        assertTrue(result.err().contains("1024"), result.err());
    }

    @Test
    void options_reach_the_loader() {
        Cli.Result result = Cli.run("load", "--device", "cpu", "--backend", "cpu", "--readers", "2", "--block", "64KiB",
                "--direct", "never", "--strict", "--drop-cache", "--format", "tsv", shards);
        assertEquals(0, result.status(), result.err());
        assertEquals("2", result.metrics().get("readers"));
        assertEquals("0", result.metrics().get("bytes_direct"));
    }

    @Test
    void the_way_and_the_dtype_are_as_asked_for() {
        // Of the mask a whole page where it is read in place; nothing but the tensors where all go through slots. What is
        // converted goes through slots of the readers that come to it, which count.
        long slot = (2 << 20) + 2 * 4096;
        for (Map.Entry<String, Long> way : Map.of("auto", 8096L, "staged", 4003L).entrySet()) {
            Map<String, String> metrics = Cli.run("load", "--transfer", way.getKey(), "--dtype", "f16", "--format",
                    "tsv", shards).metrics();
            assertEquals("8003", metrics.get("bytes"), "of the files");
            long scratch = Long.parseLong(metrics.get("peak_device_bytes")) - way.getValue();
            assertEquals(0, scratch % slot, way.getKey() + ": " + scratch);
            assertTrue(scratch >= slot && scratch <= slot * Long.parseLong(metrics.get("readers")),
                    way.getKey() + ": " + scratch);
        }
        Cli.Result result = Cli.run("load", "--transfer", "direct", "--strict", shards);
        assertEquals(1, result.status(), "host memory needs no such way");
        assertEquals(1, result.errors().size(), result.err());
    }

    @Test
    void what_is_mapped_takes_no_memory_of_the_device() {
        Map<String, String> metrics =
                Cli.run("load", "--transfer", "mapped", "--format", "tsv", shards).metrics();
        assertEquals("8003", metrics.get("bytes"));
        assertEquals(metrics.get("bytes_read"), metrics.get("mapped_bytes"));
        assertEquals("0", metrics.get("peak_device_bytes"));
        assertEquals("0", Cli.run("load", "--format", "tsv", shards).metrics().get("mapped_bytes"));
    }

    @Test
    void bytes_read_stand_beside_bytes_wanted() {
        Map<String, String> metrics =
                Cli.run("load", "--select", "layer.0.w", "--format", "tsv", shards).metrics();
        assertEquals("4000", metrics.get("bytes"));
        assertEquals(Long.parseLong(metrics.get("bytes_read")) / 4000.0,
                Double.parseDouble(metrics.get("read_per_wanted")), 1e-3);
    }

    @Test
    void what_is_larger_than_the_budget_passes_through_it() {
        Path large = Cli.write(directory.resolve("large.safetensors"), Cli.zeros("a", DType.F32, 100_000),
                Cli.zeros("b", DType.F32, 100_000), Cli.zeros("c", DType.F32, 100_000),
                Cli.zeros("d", DType.F32, 100_000));
        Map<String, String> metrics =
                Cli.run("load", "--budget", "1MiB", "--repeat", "2", "--format", "tsv", large).metrics();
        assertEquals("yes", metrics.get("in_batches"));
        assertEquals("1600000", metrics.get("bytes"));
        assertTrue(Long.parseLong(metrics.get("peak_device_bytes")) <= 1 << 20, metrics.toString());
        assertEquals("no", Cli.run("load", "--budget", "2MiB", "--format", "tsv", large).metrics().get("in_batches"));
        Cli.Result refused = Cli.run("load", "--budget", "300KiB", large);
        assertEquals(1, refused.status());
        assertEquals(1, refused.errors().size());
        assertTrue(refused.err().contains("tensor a") && refused.err().contains("307200"), refused.err());
    }

    @Test
    void a_configuration_file_is_the_beginning_and_options_win() throws Exception {
        Path config = Files.writeString(directory.resolve("my.json"),
                "{\"select\": \"layer.*\", \"readers\": 1, \"directIo\": \"never\"}");
        Map<String, String> metrics = Cli.run("load", "--config", config, "--format", "tsv", shards).metrics();
        assertEquals("8000", metrics.get("bytes"));
        assertEquals("1", metrics.get("readers"));
        metrics = Cli.run("load", "--config", config, "--readers", "2", "--select", "*", "--format", "tsv", shards)
                .metrics();
        assertEquals("8003", metrics.get("bytes"));
        assertEquals("2", metrics.get("readers"));
        Path seed = Files.writeString(directory.resolve("fastsafetensors.json"), "{\"base\": {\"max_threads\": 2}}");
        assertEquals("2", Cli.run("load", "--config", seed, "--format", "tsv", shards).metrics().get("readers"));
        Files.writeString(config, "{\n \"reader\": 1}");
        for (Path wrong : List.of(config, directory.resolve("absent.json"))) {
            Cli.Result result = Cli.run("load", "--config", wrong, shards);
            assertEquals(1, result.status());
            assertEquals(1, result.errors().size(), result.err());
            assertTrue(result.err().contains(wrong.toString()), result.err());
        }
    }

    @Test
    void digests_are_compared_when_asked_for() throws Exception {
        Path file = directory.resolve("digests.safetensors");
        assertEquals(0, Cli.run("merge", "--digests", shards, file).status());
        Map<String, String> metrics = Cli.run("load", "--check-digests", "--format", "tsv", file).metrics();
        assertEquals("3", metrics.get("digests_checked"));
        assertEquals("0", Cli.run("load", "--format", "tsv", file).metrics().get("digests_checked"));
        assertEquals("0", Cli.run("load", "--check-digests", "--format", "tsv", shards).metrics()
                .get("digests_checked"));
        assertEquals("1", Cli.run("load", "--check-digests", "--select", "mask", "--format", "tsv", file).metrics()
                .get("digests_checked"));
        damageLastByte(file);
        for (Object[] args : List.of(new Object[] {"load", "--check-digests", file},
                new Object[] {"load", "--check-digests", "--dtype", "BF16", file})) {
            Cli.Result result = Cli.run(args);
            assertEquals(1, result.status());
            assertEquals(1, result.errors().size(), result.err());
            assertTrue(result.err().contains("DigestMismatch") && result.err().contains("tensor mask")
                    && result.err().contains(file.toString()), result.err());
        }
        assertEquals(0, Cli.run("load", file).status());
    }

    private static void damageLastByte(Path file) throws Exception {
        byte[] bytes = Files.readAllBytes(file);
        bytes[bytes.length - 1] ^= 1;
        Files.write(file, bytes);
    }

    @Test
    void several_paths_follow_one_another_in_the_same_columns() {
        Path index = shards.resolve("model.safetensors.index.json");
        Cli.Result result = Cli.run("load", "--format", "tsv", shards, index);
        assertEquals(0, result.status(), result.err());
        assertEquals("metric\tvalue", result.lines().getFirst());
        assertEquals(List.of(List.of("path", shards.toString()), List.of("path", index.toString())),
                result.rows().stream().filter(row -> row.getFirst().equals("path")).toList());
        assertEquals(2, result.rows().stream().filter(row -> row.getFirst().equals("gb_per_s")).count());
    }

    @Test
    void a_selection_that_matches_nothing_is_refused() {
        Cli.Result result = Cli.run("load", "--select", "nothing.*", shards);
        assertEquals(1, result.status());
        assertTrue(result.err().contains("the selection matches none of the 3 tensors"), result.err());
    }

    @Test
    void dtypes_are_known_by_the_names_of_other_frameworks() {
        for (String name : List.of("bfloat16", "BF16", "bf16")) {
            assertEquals(0, Cli.run("load", "--dtype", name, shards).status(), name);
        }
    }

    @Test
    void json_and_text() {
        assertEquals("bytes",
                JsonMapper.shared().readTree(Cli.run("load", "--format", "json", shards).out()).get(0).get("metric")
                        .asString());
        String headline = Cli.run("load", shards).lines().getLast();
        assertTrue(headline.startsWith("7.82 KiB in ") && headline.endsWith("3 tensors to cpu through cpu"), headline);
    }
}
