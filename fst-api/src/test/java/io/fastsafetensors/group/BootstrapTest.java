package io.fastsafetensors.group;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.error.ConfigException;
import io.fastsafetensors.types.Device;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class BootstrapTest {
    private static final Device GPU = new Device("cuda", 3);
    private static final Map<String, String> TORCHRUN = Map.of("RANK", "5", "WORLD_SIZE", "8", "LOCAL_RANK", "1");
    private static final Map<String, String> OPEN_MPI = Map.of("OMPI_COMM_WORLD_RANK", "2", "OMPI_COMM_WORLD_SIZE", "4",
            "OMPI_COMM_WORLD_LOCAL_RANK", "0");
    private static final Map<String, String> SRUN = Map.of("SLURM_PROCID", "6", "SLURM_STEP_NUM_TASKS", "7",
            "SLURM_LOCALID", "2");

    @Test
    void each_launcher_tells_the_place_of_a_process() {
        assertPlace(5, 8, 1, TORCHRUN);
        assertPlace(2, 4, 0, OPEN_MPI);
        assertPlace(6, 7, 2, SRUN);
    }

    @Test
    void the_launcher_nearest_to_the_program_counts() {
        assertPlace(2, 4, 0, joined(SRUN, OPEN_MPI));
        assertPlace(5, 8, 1, joined(SRUN, joined(OPEN_MPI, TORCHRUN)));
    }

    @Test
    void what_the_rendezvous_needs_comes_along_and_nothing_else() {
        Map<String, String> rendezvous = Map.of("MASTER_ADDR", "10.0.0.1", "MASTER_PORT", "29500", "NCCL_COMM_ID",
                "10.0.0.1:29501", "FST_GROUP_DIR", "/shared/job");
        Bootstrap bootstrap =
                Bootstrap.fromEnvironment(joined(TORCHRUN, joined(rendezvous, Map.of("SECRET", "x"))), GPU);
        assertEquals(rendezvous, bootstrap.properties());
        assertEquals(Map.of(), Bootstrap.fromEnvironment(joined(SRUN, Map.of("MASTER_ADDR", " ")), GPU).properties());
    }

    @Test
    void the_device_is_the_callers_and_the_local_ranks_by_custom() {
        assertEquals(GPU, Bootstrap.fromEnvironment(TORCHRUN, GPU).device());
        assertEquals(new Device("cuda", 1), Bootstrap.localDevice(TORCHRUN, "cuda"));
        assertEquals(new Device("rocm", 2), Bootstrap.localDevice(SRUN, "rocm"));
        assertEquals(Device.CPU, Bootstrap.localDevice(TORCHRUN, "cpu"));
    }

    @Test
    void the_timeout_can_be_changed_and_is_positive_and_at_most_a_year() {
        Bootstrap bootstrap = Bootstrap.fromEnvironment(TORCHRUN, GPU);
        assertEquals(Bootstrap.DEFAULT_TIMEOUT, bootstrap.timeout());
        Bootstrap quick = bootstrap.withTimeout(Duration.ofSeconds(3));
        assertEquals(Duration.ofSeconds(3), quick.timeout());
        assertEquals(bootstrap, quick.withTimeout(Bootstrap.DEFAULT_TIMEOUT));
        for (Duration wrong : List.of(Duration.ZERO, Duration.ofSeconds(-1), Duration.ofDays(366),
                Duration.ofSeconds(Long.MAX_VALUE))) {
            assertThrows(IllegalArgumentException.class, () -> bootstrap.withTimeout(wrong));
            assertThrows(IllegalArgumentException.class, () -> ProcessGroups.local(2, wrong));
            assertThrows(IllegalArgumentException.class, () -> ProcessGroups.local("nccl", List.of(GPU), wrong));
        }
    }

    @Test
    void no_launcher_is_an_error_that_lists_them() {
        String message = refusal(Map.of("RANK", "1", "SLURM_PROCID", "0", "SLURM_LOCALID", "0", "SLURM_NTASKS", "4"));
        for (String name : new String[] {"WORLD_SIZE", "torchrun", "OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS"}) {
            assertTrue(message.contains(name), message);
        }
    }

    @Test
    void each_missing_variable_is_named() {
        for (Map<String, String> whole : List.of(TORCHRUN, OPEN_MPI)) {
            for (String name : whole.keySet()) {
                Map<String, String> rest = new HashMap<>(whole);
                rest.remove(name);
                String message = refusal(rest);
                assertTrue(message.contains(name + " is missing"), message);
            }
        }
        assertTrue(refusal(Map.of("SLURM_STEP_NUM_TASKS", "2", "SLURM_PROCID", "1")).contains("SLURM_LOCALID"));
    }

    @Test
    void what_is_no_number_or_no_place_is_named() {
        for (String bad : new String[] {"", "-1", "one", "1.0", "99999999999", "+1"}) {
            for (String name : TORCHRUN.keySet()) {
                String message = refusal(joined(TORCHRUN, Map.of(name, bad)));
                assertTrue(message.contains(name + "=\"" + bad + "\""), message);
            }
        }
        for (Map<String, String> bad : List.of(Map.of("RANK", "8"), Map.of("WORLD_SIZE", "0"),
                Map.of("LOCAL_RANK", "8"))) {
            String message = refusal(joined(TORCHRUN, bad));
            assertTrue(message.contains("do not fit together: RANK="), message);
        }
    }

    private static String refusal(Map<String, String> environment) {
        return assertThrows(ConfigException.class, () -> Bootstrap.fromEnvironment(environment, GPU)).getMessage();
    }

    private static void assertPlace(int rank, int size, int localRank, Map<String, String> environment) {
        assertEquals(new Bootstrap(rank, size, localRank, GPU, Bootstrap.DEFAULT_TIMEOUT, Map.of()),
                Bootstrap.fromEnvironment(environment, GPU));
    }

    private static Map<String, String> joined(Map<String, String> one, Map<String, String> other) {
        Map<String, String> all = new HashMap<>(one);
        all.putAll(other);
        return all;
    }
}
