package io.fastsafetensors.group;

import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.Services;
import io.fastsafetensors.types.Device;
import java.time.Duration;
import java.util.List;

/// The ways to a [ProcessGroup]. Each rank closes what it got.
public final class ProcessGroups {
    private ProcessGroups() {
    }

    /// A group of one: its collectives have nothing to do.
    public static ProcessGroup single() {
        return provider().single();
    }

    /// As [#local(int, Duration)], with [Bootstrap#DEFAULT_TIMEOUT].
    public static List<ProcessGroup> local(int size) {
        return local(size, Bootstrap.DEFAULT_TIMEOUT);
    }

    /// The ranks of one JVM, each for the thread that loads for it: for tests, and for one process that drives several
    /// devices. Memory of every device is moved, that of devices by way of the host; where a transport of the device's
    /// own (`nccl`, `rccl`) works it is faster.
    ///
    /// @param size how many ranks, at least 1
    /// @param timeout how long a rank waits for the others in a collective
    /// @return the ranks' groups, by rank
    /// @throws IllegalArgumentException if there are no ranks, or the timeout is not positive or above
    ///         [Bootstrap#LONGEST_TIMEOUT]
    public static List<ProcessGroup> local(int size, Duration timeout) {
        Bootstrap.requireTimeout(timeout);
        return provider().local(size, timeout);
    }

    /// The ranks of one JVM over a transport of their devices, such as `nccl`: one a device, each for the thread that drives
    /// it. Blocks until all have met.
    ///
    /// @param transport the transport's name
    /// @param devices the ranks' devices, by rank
    /// @param timeout how long a rank waits for the others
    /// @return the ranks' groups, by rank
    /// @throws UnsupportedFeatureException if no such transport is on the path, its ranks are processes only, or it does
    ///         not work here; it says why
    /// @throws io.fastsafetensors.error.GroupException if they do not meet, or a device cannot be used
    /// @throws IllegalArgumentException if there are no devices, or the timeout is not positive or above
    ///         [Bootstrap#LONGEST_TIMEOUT]
    public static List<ProcessGroup> local(String transport, List<Device> devices, Duration timeout) {
        Bootstrap.requireTimeout(timeout);
        return provider().local(transport, devices, timeout);
    }

    /// Joins the group that the bootstrap describes; blocks until every rank has.
    ///
    /// @param transport the transport's name, such as `mpi` or `nccl`; `single` for a group of one
    /// @throws UnsupportedFeatureException if no such transport is on the path or it does not work here; it says why
    /// @throws io.fastsafetensors.error.GroupException if the ranks do not meet within the timeout
    public static ProcessGroup join(String transport, Bootstrap bootstrap) {
        return provider().join(transport, bootstrap);
    }

    /// The transports on the path that move memory of a device type between the processes of a job, those that work here
    /// first: what a process takes that is told to load with others and no transport.
    ///
    /// @param deviceType see [Device#type()]
    public static List<String> transports(String deviceType) {
        return provider().transports(deviceType);
    }

    private static GroupsProvider provider() {
        return Services.first(GroupsProvider.class, ProcessGroups.class)
                .orElseThrow(() -> new UnsupportedFeatureException(
                        "no implementation of fst on the class path or module path: add fst-core; " + Services.MERGING,
                        Where.nowhere()));
    }
}
