package io.fastsafetensors.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.types.DType;
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
    void several_paths_have_a_column_that_tells_them_apart() {
        Cli.Result result = Cli.run("load", "--format", "tsv", shards, shards.resolve("model.safetensors.index.json"));
        assertEquals(0, result.status(), result.err());
        assertEquals("path\tmetric\tvalue", result.lines().getFirst());
        assertEquals(2, result.rows().stream().map(List::getFirst).distinct().count());
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
