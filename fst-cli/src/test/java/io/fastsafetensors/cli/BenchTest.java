package io.fastsafetensors.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.OpenOptions;
import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.cli.ffm.FileCalls;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Location;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// `fst bench`: arms, notes, result file and page.
class BenchTest {
    private static final String NAME = "<b>x&'y\u202e.safetensors";

    @TempDir
    private Path directory;

    private Path file;

    @BeforeEach
    void write() {
        file = Cli.write(directory.resolve(NAME), Cli.zeros("a", DType.F32, 300_000),
                Cli.zeros("b", DType.F32, 500_000));
    }

    private BenchResult run(Optional<FileCalls> calls, Path... files) {
        try (BenchRun run =
                new BenchRun(Stream.of(files).map(Location::of).toList(), OpenOptions.defaults(), Device.CPU,
                        List.of(), calls)) {
            return run.run(2, BenchRun.ANY_STATE, (_, _) -> {
            });
        }
    }

    private static List<String> names(BenchResult result) {
        return result.arms().stream().map(BenchArm::name).toList();
    }

    @Test
    void every_part_is_measured_in_every_state() {
        Cli.Result result = Cli.run("bench", "--rounds", "2", "--format", "tsv", file);
        assertEquals(0, result.status(), result.err());
        List<String> arms = result.rows().stream().map(row -> String.join(" ", row.subList(0, 3)).strip()).toList();
        List<String> warm = List.of("storage warm", "copy none cpu", "load warm cpu");
        List<String> all = List.of("storage cold", "storage warm", "copy none cpu", "load cold cpu", "load warm cpu");
        assertEquals(result.err().contains("could not be made cold") ? warm : all, arms);
        for (List<String> row : result.rows()) {
            List<Double> spread = Stream.of(4, 5, 3, 6, 7).map(i -> Double.parseDouble(row.get(i))).toList();
            assertEquals(spread.stream().sorted().toList(), spread,
                    "least, first quartile, median, third quartile, most");
            assertEquals("2", row.get(9));
            if (row.get(1).equals("warm")) {
                assertEquals("3200000", row.get(10), "resident before");
            }
            if (row.get(1).equals("cold")) {
                assertTrue(Long.parseLong(row.get(10)) <= 32_000, row::toString);
            }
        }
    }

    @Test
    void only_the_wanted_state_of_the_page_cache_is_measured() {
        Cli.Result warm = Cli.run("bench", "--rounds", "1", "--warm", "--format", "tsv", file);
        assertEquals(0, warm.status(), warm.err());
        assertEquals(List.of("storage warm", "copy none", "load warm"), parts(warm));
        Cli.Result cold = Cli.run("bench", "--rounds", "1", "--cold", "--format", "tsv", file);
        if (cold.status() == 1) {
            assertTrue(cold.err().contains("could not be made cold"), cold.err());
            assertEquals("", cold.out());
        } else {
            assertEquals(List.of("storage cold", "copy none", "load cold"), parts(cold));
        }
        Cli.Result both = Cli.run("bench", "--rounds", "1", "--cold", "--warm", "--format", "tsv", file);
        assertEquals(0, both.status(), both.err());
        assertTrue(parts(both).contains("load warm"), both.out());
    }

    private static List<String> parts(Cli.Result result) {
        return result.rows().stream().map(row -> row.get(0) + " " + row.get(1)).toList();
    }

    @Test
    void cold_is_refused_where_pages_stay() {
        FakeFileCalls calls = new FakeFileCalls();
        calls.stuck = true;
        try (BenchRun run = new BenchRun(List.of(Location.of(file)), OpenOptions.defaults(), Device.CPU, List.of(),
                Optional.of(calls))) {
            CommandException refused = assertThrows(CommandException.class,
                    () -> run.run(1, Set.of(BenchArm.State.COLD), (_, _) -> {
                    }));
            assertTrue(String.valueOf(refused.getMessage()).contains("could not be made cold"), refused::toString);
        }
    }

    @Test
    void text_says_in_words_what_bounds_the_load() {
        Cli.Result result = Cli.run("bench", "--rounds", "1", file, file);
        assertEquals(0, result.status(), result.err());
        assertTrue(result.out().contains("load, warm, cpu: ") && result.out().contains("for 6.10 MiB"), result.out());
        assertTrue(result.out().contains("fixed costs hide what bounds the load"), result.out());
    }

    @Test
    void json_is_one_array() {
        JsonNode rows = JsonMapper.shared()
                .readTree(Cli.run("bench", "--rounds", "1", "--format", "json", file).out());
        assertTrue(rows.isArray() && rows.get(0).get("part").asString().equals("storage"), rows::toString);
    }

    @Test
    void a_file_system_that_keeps_its_pages_is_not_called_cold() {
        FakeFileCalls calls = new FakeFileCalls();
        calls.stuck = true;
        BenchResult result = run(Optional.of(calls), file);
        assertEquals(List.of("storage alone, warm", "copy alone, cpu", "load, warm, cpu"), names(result));
        assertTrue(result.notes().getFirst().startsWith("could not be made cold: 3.05 MiB of 3.05 MiB stay"),
                result.notes()::toString);
    }

    @Test
    void unknown_residency_is_said_and_nothing_is_called_cold() {
        FakeFileCalls calls = new FakeFileCalls();
        calls.withoutCachestat = true;
        calls.withoutMincore = true;
        BenchResult result = run(Optional.of(calls), file);
        assertFalse(names(result).contains("load, cold, cpu"), names(result)::toString);
        assertTrue(result.notes().getFirst().contains("does not say what is in the page cache"),
                result.notes()::toString);
        assertEquals(-1, result.arm("load, warm, cpu").orElseThrow().cached());
    }

    @Test
    void without_native_calls_loads_and_copies_are_measured_and_the_rest_is_explained() {
        BenchResult result = run(Optional.empty(), file);
        assertEquals(List.of("copy alone, cpu", "load, cpu"), names(result));
        assertTrue(result.notes().getFirst().contains("--enable-native-access"), result.notes()::toString);
    }

    @Test
    void refused_direct_reads_are_replaced_and_said() {
        FakeFileCalls calls = new FakeFileCalls();
        calls.withoutDirect = true;
        BenchResult result = run(Optional.of(calls), file);
        if (names(result).contains("storage alone, cold")) {
            assertTrue(result.notes().getFirst().contains("is read through the page cache"), result.notes()::toString);
        }
    }

    @Test
    void files_and_memory_are_given_back() {
        for (boolean direct : new boolean[] {true, false}) {
            FakeFileCalls calls = new FakeFileCalls();
            calls.withoutDirect = !direct;
            calls.withoutCachestat = true;
            run(Optional.of(calls), file);
            assertEquals(0, calls.open);
            assertEquals(0, calls.mappings);
        }
    }

    @Test
    void mincore_finds_what_cachestat_finds() throws IOException {
        Files.readAllBytes(file);
        FakeFileCalls calls = new FakeFileCalls();
        FileRanges ranges = FileRanges.of(calls, List.of(Safetensors.open(file)));
        long cached = ranges.cachedBytes();
        calls.withoutCachestat = true;
        assertEquals(cached < 0 ? 3_200_000 : cached, ranges.cachedBytes());
        assertEquals(3_200_000, ranges.cachedBytes());
    }

    @Test
    void a_checkpoint_without_bytes_is_refused() {
        Path empty = Cli.write(directory.resolve("empty.safetensors"), Cli.zeros("a", DType.F32, 0));
        Cli.Result result = Cli.run("bench", empty);
        assertEquals(1, result.status());
        assertTrue(result.err().contains("has no bytes to measure"), result.err());
    }

    @Test
    void each_named_backend_is_measured_or_refused() {
        Cli.Result named = Cli.run("bench", "--rounds", "1", "--backend", "cpu", "--backend", "cpu", file);
        assertEquals(0, named.status(), named.err());
        Cli.Result result = Cli.run("bench", "--backend", "cpu", "--backend", "punchcards", file);
        assertEquals(1, result.status());
        assertTrue(result.err().contains("there is no backend punchcards of cpu"), result.err());
    }

    @Test
    void an_absent_backend_is_refused() {
        Cli.Result result = Cli.run("bench", "--backend", "punchcards", file);
        assertEquals(1, result.status());
        assertTrue(result.err().contains("punchcards") && result.errors().size() == 1, result.err());
    }

    @Test
    void results_are_written_whole_and_compare_with_themselves() throws IOException {
        Path out = directory.resolve("out.txt");
        assertEquals(0, Cli.run("bench", "--rounds", "4", "--out", out, file).status());
        Cli.Result same = Cli.run("bench", "compare", "--format", "tsv", out, out);
        assertEquals(0, same.status(), same.err());
        assertTrue(same.rows().size() >= 3, same.out());
        same.rows().forEach(row -> {
            assertEquals("1.000000", row.get(9), row::toString);
            assertFalse(row.get(10).equals("faster") || row.get(10).equals("slower"), row::toString);
        });
        assertNothingTemporary();
    }

    @Test
    void results_of_other_dtypes_are_not_compared() throws IOException {
        Path halves = Cli.write(directory.resolve("halves.safetensors"), Cli.zeros("a", DType.F16, 1_600_000));
        Path a = directory.resolve("a.txt");
        Path b = directory.resolve("b.txt");
        assertEquals(0, Cli.run("bench", "--rounds", "1", "--out", a, file).status());
        assertEquals(0, Cli.run("bench", "--rounds", "1", "--out", b, halves).status());
        Cli.Result result = Cli.run("bench", "compare", a, b);
        assertEquals(1, result.status());
        assertTrue(result.err().contains("dtypes is \"F32\" in one and \"F16\" in the other"), result.err());
    }

    private void assertNothingTemporary() throws IOException {
        try (Stream<Path> files = Files.list(directory)) {
            assertEquals(List.of(), files.filter(each -> each.toString().endsWith(".fst-tmp")).toList());
        }
    }

    @Test
    void the_page_stands_alone_and_takes_names_as_text() throws IOException {
        Path before = directory.resolve("before.txt");
        Path page = directory.resolve("page.html");
        Cli.Result first = Cli.run("bench", "--rounds", "1", "--out", before, file);
        assertEquals(0, first.status(), first.err());
        Cli.Result result = Cli.run("bench", "--rounds", "1", "--html", page, "--baseline", before, file);
        assertEquals(0, result.status(), result.err());
        assertPage(Files.readString(page));
        Path again = directory.resolve("again.html");
        assertEquals(0, Cli.run("bench", "compare", before, before, "--html", again).status());
        assertPage(Files.readString(again));
        assertNothingTemporary();
    }

    private static void assertPage(String html) {
        assertTrue(html.startsWith("<!DOCTYPE html>") && html.endsWith("</html>\n"), html);
        assertTrue(html.contains("&lt;b&gt;x&amp;&#39;y") && !html.contains("<b>x"), html);
        assertFalse(html.contains("\u202e"), "text that turns the direction of writing");
        for (String foreign : List.of("<script", "<link", "<img", "http:", "https:", "@import", "url(",
                "javascript:")) {
            assertFalse(html.contains(foreign), foreign);
        }
        for (String part : List.of("prefers-color-scheme:dark", "@media print", "width=device-width", "What bounds it",
                "How fast, of what limit", "Next to what was measured before", "too few rounds to tell",
                "default-src 'none'")) {
            assertTrue(html.contains(part), part);
        }
    }

    @Test
    void what_cannot_be_written_is_refused_before_anything_is_measured() {
        for (String option : List.of("--out", "--html")) {
            for (Path target : List.of(directory.resolve("absent/x"), directory)) {
                Cli.Result result = Cli.run("bench", option, target, directory.resolve("no such checkpoint"));
                assertEquals(1, result.status());
                assertEquals("", result.out());
                assertTrue(result.err().startsWith("fst bench: " + option + ": ") && result.errors().size() == 1,
                        result.err());
            }
        }
    }

    @Test
    void a_link_stays_and_its_file_gets_the_result() throws IOException {
        Path real = Files.writeString(directory.resolve("real.txt"), "old");
        Path link = Files.createSymbolicLink(directory.resolve("link.txt"), real);
        assertEquals(0, Cli.run("bench", "--rounds", "1", "--out", link, file).status());
        assertTrue(Files.isSymbolicLink(link));
        assertTrue(Files.readString(real).startsWith("fst-bench\t1\n"));
        Cli.Result device = Cli.run("bench", "--out", "/dev/null", file);
        assertEquals(1, device.status());
        assertTrue(device.err().contains("/dev/null is there and is no regular file"), device.err());
    }

    @Test
    void a_baseline_of_something_else_is_refused_before_anything_is_measured() throws IOException {
        Path other = Files.writeString(directory.resolve("other.txt"), BenchCompareTest.result(7, 1, 2));
        Cli.Result result = Cli.run("bench", "--baseline", other, file);
        assertEquals(1, result.status());
        assertEquals("", result.out());
        assertTrue(result.err().contains("cannot be compared"), result.err());
    }
}
