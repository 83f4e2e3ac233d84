package io.fastsafetensors.group.transport;

import io.fastsafetensors.group.PendingCollective;
import io.fastsafetensors.group.RankSlice;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import java.util.List;

/// How the ranks of one group move memory. Arguments have been checked, and as far as the [ControlPlane] allows, all
/// ranks are here. What a method throws ends the group. Each returns within the group's timeout of the last progress, when
/// the data has arrived here and nobody needs this rank's memory any more. Used by one thread of a rank at a time.
public interface Mover {
    /// See [io.fastsafetensors.group.ProcessGroup#broadcast]; never of nothing.
    void broadcast(BufferSlice slice, int root, CopyStream stream);

    /// See [io.fastsafetensors.group.ProcessGroup#scatter]; the root copies its own part, too.
    void scatter(List<BufferSlice> parts, BufferSlice into, int root, CopyStream stream);

    /// See [io.fastsafetensors.group.ProcessGroup#allGather]; never of nothing.
    void allGather(BufferSlice part, BufferSlice all, CopyStream stream);

    /// See [io.fastsafetensors.group.ProcessGroup#allGather(List, CopyStream)]; no piece is empty. One that is queued may return
    /// before the data has arrived. This one moves piece by piece.
    default PendingCollective allGather(List<RankSlice> pieces, CopyStream stream) {
        pieces.forEach(piece -> broadcast(piece.slice(), piece.root(), stream));
        return PendingCollective.DONE;
    }

    /// See [io.fastsafetensors.group.ProcessGroup#send]; never of nothing.
    void send(BufferSlice slice, int to, CopyStream stream);

    /// See [io.fastsafetensors.group.ProcessGroup#receive]; never of nothing.
    void receive(BufferSlice slice, int from, CopyStream stream);

    /// Ends what is queued, whatever it waits for, so that its memory may be freed. Called at the group's first failure, while no
    /// other method runs; waits for nobody. Nothing to do where operations have ended when they return.
    default void abort() {
    }

    /// Ends what is under way and frees what the transport holds. Called once, when no other method runs; does not wait
    /// for other ranks if the group is broken.
    ///
    /// @param whole whether the group worked to its end
    void close(boolean whole);
}
