package io.fastsafetensors.backend.cpu.mpi;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.test.ChildProcess;
import io.fastsafetensors.test.ChildProcess.Result;
import io.fastsafetensors.test.Prerequisite;
import io.fastsafetensors.testkit.fixture.Content;
import io.fastsafetensors.testkit.fixture.SafetensorsFixture;
import io.fastsafetensors.testkit.fixture.Seed;
import io.fastsafetensors.testkit.group.BrokenScripts;
import io.fastsafetensors.testkit.group.RankScripts;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Real processes over the machine's Open MPI. `-Dfst.mpirun` names another mpirun.
@Timeout(value = 20, unit = TimeUnit.MINUTES)
@Tag("native")
class MpirunTest {
    private static final String MPIRUN = System.getProperty("fst.mpirun", "mpirun");

    @TempDir
    Path folder;

    @BeforeEach
    void requireOpenMpi() {
        Prerequisite.OPEN_MPI.require();
    }

    private Result mpirun(int ranks, List<String> options, String... arguments) {
        List<String> command = new ArrayList<>(List.of(MPIRUN, "--allow-run-as-root", "--oversubscribe"));
        command.addAll(options);
        command.addAll(List.of("-n", Integer.toString(ranks)));
        return ChildProcess.java(MpiRank.class, (Object[]) arguments).options("-Xmx256m",
                "-Dfst.seed=" + Seed.value()).under(command).run();
    }

    private static long count(Result result, String text) {
        return result.lines().stream().filter(line -> line.contains(text)).count();
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 4})
    @Tag("slow")
    void every_collective_moves_the_right_bytes_and_the_processes_end_cleanly(int ranks) {
        Result result = mpirun(ranks, List.of(), "60000", "all", "loads", "closes");
        assertEquals(0, result.status(), result::toString);
        for (String script : RankScripts.all().keySet()) {
            assertEquals(ranks, count(result, script + " rank "), result::toString);
        }
        assertEquals(ranks * (RankScripts.all().size() + 2L), count(result, ": ok"), result::toString);
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 4})
    void ranks_that_do_not_agree_all_fail_and_the_processes_end_cleanly(int ranks) {
        Set<String> scripts = Set.of("otherCall", "otherSize", "otherPart", "leaves");
        assertTrue(BrokenScripts.all().keySet().containsAll(scripts));
        List<String> arguments = new ArrayList<>(List.of("60000"));
        arguments.addAll(scripts);
        Result result = mpirun(ranks, List.of(), arguments.toArray(String[]::new));
        assertEquals(0, result.status(), result::toString);
        assertEquals(ranks * scripts.size(), count(result, ": ok"), result::toString);
    }

    @Test
    @Tag("slow")
    void a_rank_that_skips_a_call_is_named_and_the_processes_end_cleanly() {
        Result result = mpirun(3, List.of(), "5000", "skips");
        assertEquals(0, result.status(), result::toString);
        assertEquals(3, count(result, ": ok"), result::toString);
    }

    @Test
    @Tag("slow")
    void a_broadcast_may_have_more_bytes_than_an_int_counts() {
        Result result = mpirun(2, List.of(), "120000", "big");
        assertEquals(0, result.status(), result::toString);
        assertEquals(2, count(result, "has all 2684354560 bytes"), result::toString);
    }

    /// As mpirun comes, it ends all processes when one dies by a signal.
    @Test
    void a_killed_rank_ends_the_job() {
        Result result = mpirun(3, List.of(), "60000", "killed");
        assertNotEquals(0, result.status(), result::toString);
        assertEquals(3, count(result, "is here"), result::toString);
        assertEquals(1, count(result, "exited on signal 9"), result::toString);
    }

    /// With recovery enabled the others live on, and learn of it by the timeout, their own or that of the first one.
    @Test
    @Tag("slow")
    void a_killed_rank_is_named_where_mpirun_lets_the_others_live() {
        Result result = mpirun(3, List.of("--enable-recovery"), "10000", "killed");
        assertEquals(2, count(result, "broadcast of 67108864 bytes from rank 0: rank 2 did not come within 10.0 s"),
                result::toString);
    }

    @Test
    @Tag("slow")
    void a_rank_killed_in_the_middle_of_a_load_is_named_by_the_others() {
        SafetensorsFixture file = SafetensorsFixture.create();
        for (int i = 0; i < 64; i++) {
            file.tensor("layer." + i, DType.U8, Shape.of(1 << 20), Content.hole());
        }
        Path checkpoint = file.write(folder.resolve("model.safetensors")).path();
        Result result = mpirun(3, List.of("--enable-recovery"), "10000", "killedLoading", checkpoint.toString());
        assertEquals(3, count(result, "is here"), result::toString);
        assertEquals(2, count(result, ": rank 2 did not come within 10.0 s"), result::toString);
    }

    @Test
    void a_rank_that_throws_is_known_to_the_others_at_once() {
        Result result = mpirun(3, List.of(), "120000", "throws");
        assertEquals(1, result.status(), result::toString);
        assertTrue(count(result, "saw: rank 2 left the group") > 0, result::toString);
    }
}
