package io.fastsafetensors.group;

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
}
