package io.fastsafetensors.group.transport;

import io.fastsafetensors.error.GroupException;
import java.util.BitSet;
import java.util.List;

/// Passes small messages between the ranks of one group. Used by one thread of a rank at a time, except for
/// [#farewell].
public interface ControlPlane {
    /// Tells some ranks something and waits for what they tell.
    ///
    /// @param what what this rank is doing, for the error
    /// @param message under 2 MiB
    /// @param with the ranks that meet, this one among them
    /// @return the messages by rank; empty where a rank is not in `with`
    /// @throws GroupException naming the ranks that did not come within the group's timeout, or have left
    List<byte[]> meet(String what, byte[] message, BitSet with);

    /// Whether meeting is so cheap, and says so much more than the data's own way, that the ranks compare what they call
    /// before each operation on data.
    boolean meetsBeforeData();

    /// Tells the others that this rank will not come any more, without waiting for them. Called once, from any thread.
    ///
    /// @param reason why, if something failed; empty if the rank just leaves
    void farewell(String reason);
}
