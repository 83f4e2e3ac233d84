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
    void mpiexec_tells_the_place_of_a_process_unless_srun_does() {
        Map<String, String> mpiexec = Map.of("PMI_RANK", "1", "PMI_SIZE", "3", "MPI_LOCALRANKID", "1");
        assertPlace(1, 3, 1, mpiexec);
        assertPlace(1, 3, 1, joined(SRUN, mpiexec));
        assertPlace(6, 7, 2, joined(SRUN, Map.of("PMI_RANK", "6", "PMI_SIZE", "7")));
    }

    @Test
    void ranks_of_one_host_have_an_address_without_being_told() {
        Map<String, String> mpirun =
                joined(OPEN_MPI, Map.of("OMPI_COMM_WORLD_LOCAL_SIZE", "4", "PMIX_NAMESPACE", "77"));
        Map<String, String> found = Bootstrap.fromEnvironment(mpirun, GPU).properties();
        assertEquals("127.0.0.1", found.get("MASTER_ADDR"));
        int port = Integer.parseInt(found.get("MASTER_PORT"));
        assertTrue(port >= 20_000 && port < 32_768, found.toString());
        Map<String, String> another = joined(mpirun, Map.of("OMPI_COMM_WORLD_RANK", "3"));
        assertEquals(found, Bootstrap.fromEnvironment(another, GPU).properties());
        Map<String, String> otherJob = Bootstrap.fromEnvironment(joined(mpirun, Map.of("PMIX_NAMESPACE", "78")), GPU)
                .properties();
        assertTrue(!otherJob.equals(found), otherJob.toString());
        Map<String, String> srun = joined(SRUN, Map.of("SLURM_STEP_TASKS_PER_NODE", "7", "SLURM_JOB_ID", "12"));
        assertEquals("127.0.0.1", Bootstrap.fromEnvironment(srun, GPU).properties().get("MASTER_ADDR"));
        Map<String, String> two = joined(mpirun, Map.of("OMPI_COMM_WORLD_LOCAL_SIZE", "2"));
        assertEquals(Map.of(), Bootstrap.fromEnvironment(two, GPU).properties());
        Map<String, String> given = joined(mpirun, Map.of("MASTER_ADDR", "h", "MASTER_PORT", "1"));
        assertEquals(Map.of("MASTER_ADDR", "h", "MASTER_PORT", "1"),
                Bootstrap.fromEnvironment(given, GPU).properties());
        assertEquals(4, Bootstrap.ranksOfHost(mpirun));
        assertEquals(0, Bootstrap.ranksOfHost(OPEN_MPI));
    }

    @Test
    void the_only_device_that_a_process_sees_is_its_own() {
        assertEquals(new Device("cuda", 0),
                Bootstrap.localDevice(joined(TORCHRUN, Map.of("CUDA_VISIBLE_DEVICES", "3")), "cuda"));
        assertEquals(new Device("cuda", 1),
                Bootstrap.localDevice(joined(TORCHRUN, Map.of("CUDA_VISIBLE_DEVICES", "3,4")), "cuda"));
        assertEquals(new Device("rocm", 1),
                Bootstrap.localDevice(joined(TORCHRUN, Map.of("CUDA_VISIBLE_DEVICES", "3")), "rocm"));
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
