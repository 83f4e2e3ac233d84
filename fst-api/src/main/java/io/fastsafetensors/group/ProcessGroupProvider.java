package io.fastsafetensors.group;

import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.types.Device;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/// The entry of a transport, found by [java.util.ServiceLoader]. Constructing one loads no native code.
public interface ProcessGroupProvider {
    /// The transport's stable name, such as `mpi`.
    String name();

    /// Empty if it works on this machine; else why not, in a sentence for people. Never throws, never prints.
    Optional<String> unavailable();

    /// Joins the group that the bootstrap describes; blocks until every rank has.
    ///
    /// @throws io.fastsafetensors.error.GroupException if the ranks do not meet within the timeout
    ProcessGroup join(Bootstrap bootstrap);

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
