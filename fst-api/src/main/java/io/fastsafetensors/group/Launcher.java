package io.fastsafetensors.group;

import io.fastsafetensors.error.ConfigException;
import io.fastsafetensors.error.Where;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// The variables by which a launcher of processes tells each its place.
enum Launcher {
    /// torchrun's names, which many launchers set.
    TORCHRUN("torchrun", "RANK", "WORLD_SIZE", "LOCAL_RANK"),
    /// Set by Open MPI's mpirun.
    OPEN_MPI("mpirun", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"),
    /// Set by srun. Not `SLURM_NTASKS`, which a batch script has too, of which there is only one.
    SLURM("srun", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID");

    private static final List<String> RENDEZVOUS = List.of("MASTER_ADDR", "MASTER_PORT", "NCCL_COMM_ID",
            "FST_GROUP_DIR");

    private final String label;
    private final String rank;
    private final String size;
    private final String localRank;

    Launcher(String label, String rank, String size, String localRank) {
        this.label = label;
        this.rank = rank;
        this.size = size;
        this.localRank = localRank;
    }

    /// Rank and size as a launcher gives them.
    record Place(int rank, int size, int localRank) {
    }

    static Place place(Map<String, String> environment) {
        for (Launcher launcher : values()) {
            if (launcher.speaksIn(environment)) {
                return launcher.read(environment);
            }
        }
        throw new ConfigException("no launcher of processes has set its variables: none of "
                + List.of(values()).stream().map(each -> each.rank + " and " + each.size + " (" + each.label + ")")
                        .collect(Collectors.joining(", ")),
                Where.nowhere());
    }

    static Map<String, String> properties(Map<String, String> environment) {
        return RENDEZVOUS.stream().filter(name -> !environment.getOrDefault(name, "").isBlank())
                .collect(Collectors.toMap(Function.identity(), environment::get));
    }

    /// A batch script has srun's rank too, and `RANK` alone may be anybody's: the number of ranks is what only a
    /// launcher sets. Without it, rank and local rank together are torchrun's, incomplete.
    private boolean speaksIn(Map<String, String> environment) {
        return environment.containsKey(size)
                || (this != SLURM && environment.containsKey(rank) && environment.containsKey(localRank));
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
            throw new ConfigException(label + "'s variables are incomplete: " + name + " is missing next to "
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
