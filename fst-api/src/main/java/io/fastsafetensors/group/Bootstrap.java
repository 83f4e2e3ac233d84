package io.fastsafetensors.group;

import io.fastsafetensors.types.Device;
import java.time.Duration;
import java.util.Map;

/// How the ranks of a group find each other.
///
/// @param rank this rank
/// @param size how many ranks
/// @param localRank this rank's number on its host
/// @param device the device that this rank moves memory of
/// @param timeout how long to wait for the others
/// @param properties what the rendezvous needs, by name: `MASTER_ADDR`, `MASTER_PORT`, `NCCL_COMM_ID`, a shared
///        file; each transport documents its own
public record Bootstrap(int rank, int size, int localRank, Device device, Duration timeout,
        Map<String, String> properties) {
    /// How long collectives wait unless told otherwise.
    public static final Duration DEFAULT_TIMEOUT = Duration.ofMinutes(10);

    /// @throws IllegalArgumentException unless 0 ≤ rank < size
    public Bootstrap {
        if (rank < 0 || rank >= size || localRank < 0) {
            throw new IllegalArgumentException("rank " + rank + " (local " + localRank + ") of " + size);
        }
        properties = Map.copyOf(properties);
    }
}
