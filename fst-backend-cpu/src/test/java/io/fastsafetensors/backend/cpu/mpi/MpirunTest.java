package io.fastsafetensors.backend.cpu.mpi;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import io.fastsafetensors.testkit.fixture.Content;
import io.fastsafetensors.testkit.fixture.SafetensorsFixture;
import io.fastsafetensors.testkit.fixture.Seed;
import io.fastsafetensors.testkit.group.BrokenScripts;
import io.fastsafetensors.testkit.group.RankScripts;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Real processes over the machine's Open MPI. `-Dfst.mpirun` names another mpirun.
@Timeout(value = 5, unit = TimeUnit.MINUTES)
@Tag("native")
class MpirunTest {
    private static final String MPIRUN = System.getProperty("fst.mpirun", "mpirun");

    @TempDir
    Path folder;

    @BeforeAll
    static void needMpirun() throws InterruptedException {
        try {
            assertEquals(0, new ProcessBuilder(MPIRUN, "--version").redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD).start().waitFor());
        } catch (IOException e) {
            missing("Open MPI's mpirun is not installed (openmpi-bin): " + e.getMessage());
        }
    }

    private static void missing(String text) {
        if (System.getenv("CI") != null) {
            fail(text);
        }
        Assumptions.abort(text);
    }

    private record Outcome(int status, List<String> lines) {
        long count(String text) {
            return lines.stream().filter(line -> line.contains(text)).count();
        }

        @Override
        public String toString() {
            return "status " + status + "\n" + String.join("\n", lines);
        }
    }

    private Outcome mpirun(int ranks, List<String> options, String... arguments)
            throws IOException, InterruptedException {
        List<String> program =
                new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xmx256m", "--enable-native-access=ALL-UNNAMED", "-Dfst.seed=" + Seed.value(), "-cp",
                        System.getProperty("java.class.path"), MpiRank.class.getName()));
        program.addAll(Arrays.asList(arguments));
        return start(ranks, options, program);
    }

    private Outcome start(int ranks, List<String> options, List<String> program)
            throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(MPIRUN, "--allow-run-as-root", "--oversubscribe"));
        command.addAll(options);
        command.addAll(List.of("-n", Integer.toString(ranks)));
        command.addAll(program);
        Path output = folder.resolve("output");
        Process process = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(output.toFile()).start();
        if (!process.waitFor(4, TimeUnit.MINUTES)) {
            process.destroyForcibly().waitFor();
            fail("mpirun does not end: " + Files.readString(output));
        }
        return new Outcome(process.exitValue(), new String(Files.readAllBytes(output), StandardCharsets.UTF_8).lines()
                .toList());
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 4})
    void every_collective_moves_the_right_bytes_and_the_processes_end_cleanly(int ranks) throws Exception {
        Outcome outcome = mpirun(ranks, List.of(), "60000", "all", "loads", "closes");
        assertEquals(0, outcome.status, outcome::toString);
        for (String script : RankScripts.all().keySet()) {
            assertEquals(ranks, outcome.count(script + " rank "), outcome::toString);
        }
        assertEquals(ranks * (RankScripts.all().size() + 2L), outcome.count(": ok"), outcome::toString);
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 4})
    void ranks_that_do_not_agree_all_fail_and_the_processes_end_cleanly(int ranks) throws Exception {
        Set<String> scripts = Set.of("otherCall", "otherSize", "otherPart", "leaves");
        assertTrue(BrokenScripts.all().keySet().containsAll(scripts));
        List<String> arguments = new ArrayList<>(List.of("60000"));
        arguments.addAll(scripts);
        Outcome outcome = mpirun(ranks, List.of(), arguments.toArray(String[]::new));
        assertEquals(0, outcome.status, outcome::toString);
        assertEquals(ranks * scripts.size(), outcome.count(": ok"), outcome::toString);
    }

    @Test
    void a_rank_that_skips_a_call_is_named_and_the_processes_end_cleanly() throws Exception {
        Outcome outcome = mpirun(3, List.of(), "2000", "skips");
        assertEquals(0, outcome.status, outcome::toString);
        assertEquals(3, outcome.count(": ok"), outcome::toString);
    }

    @Test
    void a_broadcast_may_have_more_bytes_than_an_int_counts() throws Exception {
        Outcome outcome = mpirun(2, List.of(), "120000", "big");
        assertEquals(0, outcome.status, outcome::toString);
        assertEquals(2, outcome.count("has all 2684354560 bytes"), outcome::toString);
    }

    /// As mpirun comes, it ends all processes when one dies by a signal.
    @Test
    void a_killed_rank_ends_the_job() throws Exception {
        Outcome outcome = mpirun(3, List.of(), "60000", "killed");
        assertNotEquals(0, outcome.status, outcome::toString);
        assertEquals(3, outcome.count("is here"), outcome::toString);
        assertEquals(1, outcome.count("exited on signal 9"), outcome::toString);
    }

    /// With recovery enabled the others live on, and learn of it by the timeout, their own or that of whoever was first.
    @Test
    void a_killed_rank_is_named_where_mpirun_lets_the_others_live() throws Exception {
        Outcome outcome = mpirun(3, List.of("--enable-recovery"), "3000", "killed");
        assertEquals(2, outcome.count("broadcast of 67108864 bytes from rank 0: rank 2 did not come within 3.0 s"),
                outcome::toString);
    }

    @Test
    void a_rank_killed_in_the_middle_of_a_load_is_named_by_the_others() throws Exception {
        SafetensorsFixture file = SafetensorsFixture.create();
        for (int i = 0; i < 64; i++) {
            file.tensor("layer." + i, DType.U8, Shape.of(1 << 20), Content.hole());
        }
        Path checkpoint = file.write(folder.resolve("model.safetensors")).path();
        Outcome outcome = mpirun(3, List.of("--enable-recovery"), "3000", "killedLoading", checkpoint.toString());
        assertEquals(3, outcome.count("is here"), outcome::toString);
        assertEquals(2, outcome.count(": rank 2 did not come within 3.0 s"), outcome::toString);
    }

    @Test
    void a_rank_that_throws_is_known_to_the_others_at_once() throws Exception {
        Outcome outcome = mpirun(3, List.of(), "120000", "throws");
        assertEquals(1, outcome.status, outcome::toString);
        assertTrue(outcome.count("saw: rank 2 left the group") > 0, outcome::toString);
    }
}
