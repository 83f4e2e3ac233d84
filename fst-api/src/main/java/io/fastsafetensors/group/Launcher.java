package io.fastsafetensors.group;

import io.fastsafetensors.error.ConfigException;
import io.fastsafetensors.error.Where;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// The variables by which a launcher of processes tells each its place.
enum Launcher {
    /// torchrun's names, which many launchers set.
    TORCHRUN("torchrun", "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", ""),
    /// Set by Open MPI's mpirun.
    OPEN_MPI("mpirun", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK",
            "OMPI_COMM_WORLD_LOCAL_SIZE", "PMIX_NAMESPACE,OMPI_MCA_ess_base_jobid"),
    /// Set by the mpiexec of MPICH and Intel MPI.
    HYDRA("mpiexec", "PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS", ""),
    /// Set by srun. Not `SLURM_NTASKS`, which a batch script has too, of which there is only one.
    SLURM("srun", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID", "SLURM_STEP_TASKS_PER_NODE",
            "SLURM_JOB_ID");

    private static final String ADDRESS = "MASTER_ADDR";
    private static final String PORT = "MASTER_PORT";
    private static final List<String> RENDEZVOUS = List.of(ADDRESS, PORT, "NCCL_COMM_ID", "FST_GROUP_DIR");
    /// Ports that are derived from a job lie from here up to where the kernel takes its own.
    private static final int FIRST_PORT = 20_000;
    private static final int PORTS = 12_000;
    private static final String THIS_HOST = "127.0.0.1";

    private final String label;
    private final String rank;
    private final String size;
    private final String localRank;
    private final String localSize;
    private final String job;

    /// @param localSize how many ranks are on this host; not every version sets it
    /// @param job what tells the job from others of the host, separated by commas; the first that is set counts
    Launcher(String label, String rank, String size, String localRank, String localSize, String job) {
        this.label = label;
        this.rank = rank;
        this.size = size;
        this.localRank = localRank;
        this.localSize = localSize;
        this.job = job;
    }

    /// What a launcher told.
    record Place(int rank, int size, int localRank) {
    }

    static Place place(Map<String, String> environment) {
        return launcher(environment).read(environment);
    }

    private static Launcher launcher(Map<String, String> environment) {
        return Stream.of(values()).filter(each -> each.speaksIn(environment)).findFirst()
                .orElseThrow(() -> new ConfigException(
                        "no launcher of processes has set its variables: none of " + Stream.of(values())
                                .map(each -> each.rank + " and " + each.size + " (" + each.label + ")")
                                .collect(Collectors.joining(", ")),
                        Where.nowhere()));
    }

    /// How many ranks there are on this host; 0 if the launcher does not say.
    static int ranksOfHost(Map<String, String> environment) {
        String text = environment.getOrDefault(launcher(environment).localSize, "");
        return text.matches("[0-9]{1,9}") ? Integer.parseInt(text) : 0;
    }

    /// What is set for the rendezvous. Where nothing is and all ranks are on this host, an address of the host, with a port that
    /// is the same for all processes of the job.
    static Map<String, String> properties(Map<String, String> environment) {
        Map<String, String> given = RENDEZVOUS.stream().filter(name -> !environment.getOrDefault(name, "").isBlank())
                .collect(Collectors.toMap(Function.identity(), environment::get));
        Launcher launcher = launcher(environment);
        boolean oneHost = ranksOfHost(environment) == launcher.number(environment, launcher.size);
        if (!given.isEmpty() || launcher == TORCHRUN || !oneHost) {
            return given;
        }
        String name = Stream.of(launcher.job.split(",", -1)).map(environment::get).filter(Objects::nonNull).findFirst()
                .orElseGet(
                        () -> ProcessHandle.current().parent().map(parent -> Long.toString(parent.pid())).orElse(""));
        return Map.of(ADDRESS, THIS_HOST, PORT, Integer.toString(FIRST_PORT + Math.floorMod(name.hashCode(), PORTS)));
    }

    /// A batch script has srun's rank too, and `RANK` alone may be anybody's: the number of ranks is what only a
    /// launcher sets. Without it, rank and local rank together are torchrun's, incomplete. srun sets some of mpiexec's
    /// variables, but not the local rank.
    private boolean speaksIn(Map<String, String> environment) {
        return switch (this) {
            case HYDRA -> environment.containsKey(size) && environment.containsKey(localRank);
            case SLURM -> environment.containsKey(size);
            case TORCHRUN, OPEN_MPI -> environment.containsKey(size)
                    || (environment.containsKey(rank) && environment.containsKey(localRank));
        };
    }

    private Place read(Map<String, String> environment) {
        Place place = new Place(number(environment, rank), number(environment, size), number(environment, localRank));
        if (place.rank >= place.size || place.localRank >= place.size) {
            throw new ConfigException(label + " has set variables that do not fit together: " + rank + "=" + place.rank
                    + ", " + size + "=" + place.size + ", " + localRank + "=" + place.localRank, Where.nowhere());
        }
        return place;
    }

    private int number(Map<String, String> environment, String name) {
        String text = environment.get(name);
        if (text == null) {
            throw new ConfigException(label + "'s variables are incomplete: " + name + " is missing beside "
                    + Stream.of(rank, size, localRank).filter(environment::containsKey)
                            .collect(Collectors.joining(" and ")),
                    Where.nowhere());
        }
        if (!text.matches("[0-9]{1,9}")) {
            throw new ConfigException(name + "=\"" + text + "\" is no number from 0", Where.nowhere());
        }
        return Integer.parseInt(text);
    }
}
