package io.fastsafetensors.group.transport;

import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import java.util.List;

/// Makes every operation of transfers between two ranks: for a transport that has [#send] and [#receive] and nothing that is
/// faster. Ranks take turns, so a transfer may wait for its receiver.
///
/// A mover needs no backend: the caller's stream copies to and from memory of the transport, an array if it has nothing
/// better, whatever the device is. One that hands the device's own memory to a library opens the device that its
/// [io.fastsafetensors.group.Bootstrap] names.
public abstract class PairwiseMover implements Mover {
    private final Membership membership;

    /// @param membership this rank's
    protected PairwiseMover(Membership membership) {
        this.membership = membership;
    }

    /// This rank's place in its group.
    public final Membership membership() {
        return membership;
    }

    @Override
    public void broadcast(BufferSlice slice, int root, CopyStream stream) {
        if (membership.rank() != root) {
            receive(slice, root, stream);
            return;
        }
        for (int other = 0; other < membership.size(); other++) {
            if (other != root) {
                send(slice, other, stream);
            }
        }
    }

    @Override
    public void scatter(List<BufferSlice> parts, BufferSlice into, int root, CopyStream stream) {
        if (membership.rank() != root) {
            if (into.byteSize() > 0) {
                receive(into, root, stream);
            }
            return;
        }
        for (int other = 0; other < membership.size(); other++) {
            if (other != root && parts.get(other).byteSize() > 0) {
                send(parts.get(other), other, stream);
            }
        }
        copy(parts.get(root), into, stream);
    }

    @Override
    public void allGather(BufferSlice part, BufferSlice all, CopyStream stream) {
        for (int rank = 0; rank < membership.size(); rank++) {
            BufferSlice place = all.part(rank * part.byteSize(), part.byteSize());
            if (rank == membership.rank()) {
                copy(part, place, stream);
            }
            broadcast(place, rank, stream);
        }
    }

    private static void copy(BufferSlice from, BufferSlice to, CopyStream stream) {
        boolean inPlace = from.buffer().equals(to.buffer()) && from.offset() == to.offset();
        if (!inPlace) {
            stream.copy(from.buffer(), from.offset(), to.buffer(), to.offset(), from.byteSize());
            stream.synchronize();
        }
    }
}
