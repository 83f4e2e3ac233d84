package io.fastsafetensors.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DoctorTest {
    @TempDir
    private Path directory;

    @Test
    void backends_and_devices_are_listed_each_with_a_reason() {
        Cli.Result result = Cli.run("doctor", "--format", "tsv");
        assertEquals(0, result.status(), result.err());
        assertEquals("kind\tname\tavailable\treason", result.lines().getFirst());
        assertTrue(has(result, "backend", "cpu", "yes"), result.out());
        assertTrue(has(result, "device", "cpu", "yes"), result.out());
        for (List<String> row : result.rows()) {
            assertTrue(row.get(2).equals("yes") || row.get(2).equals("no"), row.toString());
            assertTrue(!row.get(3).isBlank(), row.toString());
        }
    }

    @Test
    void a_path_adds_how_it_would_be_read() {
        Path shards = Cli.writeShards(directory.resolve("m"), 1, Cli.bytes("a", 1), Cli.bytes("b", 2));
        Cli.Result result = Cli.run("doctor", "--format", "tsv", shards);
        assertEquals(0, result.status(), result.err());
        assertEquals(2, result.rows().stream().filter(row -> row.getFirst().equals("storage")).count());
    }

    @Test
    void a_path_that_cannot_be_read_is_a_row_and_status_1() {
        Cli.Result result = Cli.run("doctor", "--format", "tsv", directory.resolve("absent"));
        assertEquals(1, result.status());
        assertTrue(has(result, "storage", directory.resolve("absent").toString(), "no"), result.out());
        assertTrue(has(result, "backend", "cpu", "yes"), result.out());
    }

    @Test
    void people_also_learn_which_java_this_is() {
        assertTrue(Cli.run("doctor").lines().getFirst().contains(Runtime.version().toString()));
    }

    @Test
    void people_get_the_facts_of_each_device_below_the_table() {
        List<String> lines = Cli.run("doctor").lines();
        int cpu = lines.indexOf(lines.stream().filter(line -> line.startsWith("cpu ")).findFirst().orElseThrow());
        assertTrue(lines.subList(cpu, lines.size()).stream().anyMatch(line -> line.startsWith("  arch ")),
                lines.toString());
    }

    private static boolean has(Cli.Result result, String... cells) {
        return result.rows().stream().anyMatch(row -> row.subList(0, cells.length).equals(List.of(cells)));
    }
}
