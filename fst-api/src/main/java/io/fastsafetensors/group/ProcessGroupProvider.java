package io.fastsafetensors.group;

import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.types.Device;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/// The entry of a transport, found by [java.util.ServiceLoader]. Constructing one loads no native code.
public interface ProcessGroupProvider {
    /// The transport's stable name, such as `mpi`.
    String name();

    /// As [io.fastsafetensors.spi.BackendProvider#spiVersion()]: overridden with the constant
    /// [io.fastsafetensors.spi.SpiVersion#CURRENT].
    default int spiVersion() {
        return 1;
    }

    /// The device types whose memory it is made to move between the processes of a job, such as `cuda`: it is chosen for a
    /// process of a job that names no transport. Empty, as it is unless it is overridden: only by its name.
    default Set<String> deviceTypes() {
        return Set.of();
    }

    /// Empty if it works on this machine; else why not, in a sentence for people. Never throws, never prints.
    default Optional<String> unavailable() {
        return Optional.empty();
    }

    /// Joins the group that the bootstrap describes; blocks until every rank has. A transport between threads only leaves
    /// this as it is.
    ///
    /// @throws UnsupportedFeatureException if the transport's ranks are threads, or it does not work here
    /// @throws io.fastsafetensors.error.GroupException if the ranks do not meet within the timeout
    default ProcessGroup join(Bootstrap bootstrap) {
        throw new UnsupportedFeatureException("the ranks of the transport " + name()
                + " are threads: ProcessGroups.local(\"" + name() + "\", …)", Where.backend(name()));
    }

    /// Groups for ranks that are threads of this JVM, each of which drives a device of its own; returns when all have met.
    /// A transport between processes only leaves this as it is.
    ///
    /// @param devices the ranks' devices, by rank
    /// @param timeout how long a rank waits for the others
    /// @return the ranks' groups, by rank; each is closed by its rank
    /// @throws UnsupportedFeatureException if the transport's ranks are processes, or it does not work here
    /// @throws io.fastsafetensors.error.GroupException if they do not meet, or a device cannot be used
    default List<ProcessGroup> local(List<Device> devices, Duration timeout) {
        throw new UnsupportedFeatureException("the ranks of the transport " + name()
                + " are processes; for threads take ProcessGroups.local(" + devices.size() + ")",
                Where.backend(name()));
    }
}
