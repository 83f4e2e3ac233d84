package io.fastsafetensors.group;

import io.fastsafetensors.types.Device;
import java.time.Duration;
import java.util.List;
import java.util.Map;

/// How the ranks of a group find each other; which place this process has among them.
///
/// @param rank this rank
/// @param size how many ranks
/// @param localRank this rank's number on its host
/// @param device the device that this rank moves memory of
/// @param timeout how long to wait for the others
/// @param properties what the rendezvous needs, by name: `MASTER_ADDR`, `MASTER_PORT`, `NCCL_COMM_ID`,
///        `FST_GROUP_DIR` (a directory that all ranks share); each transport documents its own
public record Bootstrap(int rank, int size, int localRank, Device device, Duration timeout,
        Map<String, String> properties) {
    /// How long collectives wait unless told otherwise.
    public static final Duration DEFAULT_TIMEOUT = Duration.ofMinutes(10);

    /// The variables by which a launcher shows each process some of the devices.
    private static final Map<String, List<String>> VISIBLE = Map.of("cuda", List.of("CUDA_VISIBLE_DEVICES"), "rocm",
            List.of("HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"));

    /// The longest timeout.
    public static final Duration LONGEST_TIMEOUT = Duration.ofDays(365);

    /// @throws IllegalArgumentException unless 0 ≤ rank < size and the timeout is positive and at most [#LONGEST_TIMEOUT]
    public Bootstrap {
        if (rank < 0 || rank >= size || localRank < 0) {
            throw new IllegalArgumentException("rank " + rank + " (local " + localRank + ") of " + size);
        }
        requireTimeout(timeout);
        properties = Map.copyOf(properties);
    }

    /// What the launcher of this process says. The first of these that is there counts, the one nearest to the program
    /// first; the others are not looked at:
    ///
    /// | launcher | rank | size | local rank |
    /// |---|---|---|---|
    /// | torchrun, and whoever sets the same | `RANK` | `WORLD_SIZE` | `LOCAL_RANK` |
    /// | Open MPI's mpirun | `OMPI_COMM_WORLD_RANK` | `OMPI_COMM_WORLD_SIZE` | `OMPI_COMM_WORLD_LOCAL_RANK` |
    /// | mpiexec of MPICH and Intel MPI | `PMI_RANK` | `PMI_SIZE` | `MPI_LOCALRANKID` |
    /// | srun | `SLURM_PROCID` | `SLURM_STEP_NUM_TASKS` | `SLURM_LOCALID` |
    ///
    /// The properties are those of `MASTER_ADDR`, `MASTER_PORT`, `NCCL_COMM_ID` and `FST_GROUP_DIR` that are set. Where none is,
    /// and mpirun, mpiexec or srun says that all ranks are on this host, `MASTER_ADDR` is `127.0.0.1` and `MASTER_PORT` is
    /// derived from the job.
    ///
    /// @param environment such as [System#getenv()]
    /// @param device the device that this rank moves memory of; [#localDevice] is the usual choice
    /// @return with [#DEFAULT_TIMEOUT]
    /// @throws io.fastsafetensors.error.ConfigException if no launcher is recognised, or what it says is incomplete, no
    ///         number or impossible; it names the variables
    public static Bootstrap fromEnvironment(Map<String, String> environment, Device device) {
        Launcher.Place place = Launcher.place(environment);
        return new Bootstrap(place.rank(), place.size(), place.localRank(), device, DEFAULT_TIMEOUT,
                Launcher.properties(environment));
    }

    /// The device of a type that belongs to this process among those on its host: the one whose number is the local
    /// rank; host memory, of which there is one, has number 0. So has the only device that a launcher lets each process see
    /// (`CUDA_VISIBLE_DEVICES`, `HIP_VISIBLE_DEVICES` or `ROCR_VISIBLE_DEVICES` with one entry).
    ///
    /// @param type see [Device#type()]
    /// @throws io.fastsafetensors.error.ConfigException as for [#fromEnvironment]
    public static Device localDevice(Map<String, String> environment, String type) {
        Device first = new Device(type, 0);
        if (first.isCpu()) {
            return first;
        }
        int local = Launcher.place(environment).localRank();
        boolean only = VISIBLE.getOrDefault(type, List.of()).stream().map(name -> environment.getOrDefault(name, ""))
                .anyMatch(list -> !list.isBlank() && list.indexOf(',') < 0);
        return only ? first : new Device(type, local);
    }

    /// How many ranks the launcher started on this host.
    ///
    /// @return 0 if it does not say
    /// @throws io.fastsafetensors.error.ConfigException if no launcher is recognised
    public static int ranksOfHost(Map<String, String> environment) {
        return Launcher.ranksOfHost(environment);
    }

    /// Checks a timeout of a group.
    ///
    /// @return `timeout`
    /// @throws IllegalArgumentException unless it is positive and at most [#LONGEST_TIMEOUT]
    public static Duration requireTimeout(Duration timeout) {
        if (!timeout.isPositive() || timeout.compareTo(LONGEST_TIMEOUT) > 0) {
            throw new IllegalArgumentException("a timeout of " + timeout + "; expected more than 0 and at most "
                    + LONGEST_TIMEOUT.toDays() + " days");
        }
        return timeout;
    }

    /// The same, with another timeout.
    public Bootstrap withTimeout(Duration other) {
        return new Bootstrap(rank, size, localRank, device, other, properties);
    }
}
