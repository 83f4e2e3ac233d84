package io.fastsafetensors.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.test.ChildProcess;
import io.fastsafetensors.test.ChildProcess.Result;
import io.fastsafetensors.test.Prerequisite;
import io.fastsafetensors.types.DType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RanksTest {
    private static final long BYTES = 40_000 + 40_000 + 8;

    @TempDir
    private Path directory;
    private Path shards;

    @BeforeEach
    void writeCheckpoint() {
        shards = Cli.writeShards(directory.resolve("m"), 50_000,
                Cli.zeros("model.layers.0.self_attn.q_proj.weight", DType.F32, 100, 100),
                Cli.zeros("model.layers.0.self_attn.o_proj.weight", DType.F32, 100, 100),
                Cli.zeros("model.norm.weight", DType.F32, 2));
    }

    private static Map<String, String> metrics(Cli.Result result) {
        assertEquals(0, result.status(), result.err());
        assertEquals("rank\tmetric\tvalue", result.lines().getFirst());
        Map<String, String> metrics = new HashMap<>();
        result.rows().forEach(row -> metrics.put(row.get(0) + " " + row.get(1), row.get(2)));
        return metrics;
    }

    @ParameterizedTest
    @CsvSource({"owner,1,80008", "striped,1,80008", "local,2,0", "auto,1,80008"})
    void every_rank_and_all_together_are_reported(String way, int times, long received) {
        Map<String, String> metrics = metrics(
                Cli.run("load", "--group", "local:2", "--distribution", way, "--format", "tsv", "--repeat", "2",
                        shards));
        for (String rank : List.of("0 ", "1 ")) {
            assertEquals(Long.toString(BYTES), metrics.get(rank + "bytes"));
            assertEquals("cpu", metrics.get(rank + "device"));
        }
        assertEquals(Long.toString(2 * BYTES), metrics.get("all bytes"));
        assertTrue(Long.parseLong(metrics.get("all bytes_read")) >= times * BYTES, metrics.toString());
        assertTrue(Math.abs(Long.parseLong(metrics.get("all bytes_received")) - received) < 4096, metrics.toString());
        assertTrue(metrics.get("all distribution").toLowerCase(Locale.ROOT)
                .startsWith(way.equals("auto") ? "striped since" : way + " since"), metrics.toString());
        assertTrue(Double.parseDouble(metrics.get("all seconds_all")) > 0);
    }

    @ParameterizedTest
    @CsvSource({"local", "owner", "striped", "auto"})
    void ranks_have_their_parts_of_what_a_specification_cuts(String way) throws IOException {
        Path own = Files.writeString(directory.resolve("spec.json"), "{\"*.q_proj.weight\": 0, \"*.o_proj.*\": 1}");
        for (String spec : List.of("llama", own.toString())) {
            Map<String, String> metrics = metrics(Cli.run("load", "--group", "local:4", "--distribution", way,
                    "--shard-spec", spec, "--format", "tsv", shards));
            long each = way.equals("striped") ? BYTES : 10_000 + 10_000 + 8;
            for (int rank = 0; rank < 4; rank++) {
                assertEquals(Long.toString(each), metrics.get(rank + " bytes"), way + " " + spec);
            }
        }
    }

    @Test
    void people_get_a_sentence() {
        String headline = Cli.run("load", "--group", "local:3", shards).lines().getLast();
        assertTrue(headline.contains("on 3 ranks in ") && headline.contains("STRIPED since"), headline);
    }

    @Test
    void what_cannot_be_is_one_line() {
        for (Object[] wrong : new Object[][] {{"--group", "local:0"}, {"--group", "local:x"}, {"--group", "local"},
            {"--shard-spec", "llama"},
            {"--group", "local:2", "--drop-cache"}, {"--group", "local:2", "--distribution", "sideways"}}) {
            Object[] line = new Object[wrong.length + 2];
            line[0] = "load";
            System.arraycopy(wrong, 0, line, 1, wrong.length);
            line[line.length - 1] = shards;
            assertEquals(2, Cli.run(line).status(), List.of(wrong).toString());
        }
        Cli.Result unknown = Cli.run("load", "--group", "local:2", "--shard-spec", "gpt5", shards);
        assertEquals(1, unknown.status());
        assertTrue(unknown.err().contains("bloom, falcon, gpt2, llama, mixtral"), unknown.err());
        Cli.Result pigeon = Cli.run("load", "--group", "pigeon:2", shards);
        assertEquals(1, pigeon.status());
        assertTrue(pigeon.err().contains("no transport \"pigeon\""), pigeon.err());
        Cli.Result tight = Cli.run("load", "--group", "local:2", "--budget", "1KiB", shards);
        assertEquals(1, tight.status());
        assertEquals(1, tight.errors().size(), tight.err());
        assertTrue(tight.err().contains("1024") && !tight.err().contains("rank 0 failed"), tight.err());
    }

    @Test
    @Tag("slow")
    void processes_of_mpirun_find_each_other_by_what_it_sets() {
        Prerequisite.OPEN_MPI.require();
        Result result = ChildProcess.java(Main.class, "load", "--group", "env", "--format", "tsv", shards)
                .under(List.of(System.getProperty("fst.mpirun", "mpirun"), "--allow-run-as-root", "--oversubscribe",
                        "-n", "2"))
                .run();
        assertEquals(0, result.status(), result::toString);
        assertTrue(result.lines().contains("all\tbytes\t" + 2 * BYTES), result::toString);
    }

    @Test
    void a_launchers_environment_that_cannot_be_is_one_line() {
        for (String[] wrong : new String[][] {
            {"--device", "cuda:0", "gives ranks 0 and 1 of this host the same device"},
            {"--device", "cuda:1", "the same device, cuda:1"}, {"--timeout", "0", "--timeout: "},
            {"--timeout", "soon", "is not a number"}}) {
            Result result = ChildProcess.java(Main.class, "load", "--group", "env", wrong[0], wrong[1], shards)
                    .environment("RANK", "1").environment("WORLD_SIZE", "2").environment("LOCAL_RANK", "1").run();
            assertEquals(2, result.status(), result::toString);
            assertTrue(result.lines().getFirst().contains(wrong[2]), result::toString);
        }
    }

    @Test
    void doctor_lists_the_transports_with_reasons() {
        List<List<String>> groups = Cli.run("doctor", "--format", "tsv").rows().stream()
                .filter(row -> row.getFirst().equals("group")).toList();
        assertTrue(groups.stream().anyMatch(row -> row.get(1).equals("local") && row.get(2).equals("yes")),
                groups.toString());
        assertTrue(groups.stream().allMatch(row -> !row.get(3).isBlank()), groups.toString());
    }
}
