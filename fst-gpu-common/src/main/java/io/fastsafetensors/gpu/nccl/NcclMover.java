package io.fastsafetensors.gpu.nccl;

import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.group.transport.Mover;
import io.fastsafetensors.group.PendingCollective;
import io.fastsafetensors.group.RankSlice;
import io.fastsafetensors.gpu.nccl.ffm.Nccl;
import io.fastsafetensors.types.DeviceHandle;
import java.util.List;

/// Moves device memory on the communicator's own stream, after what the caller's stream has queued. Single operations wait
/// for their end on the host: work that is queued and never ends would pass for done once it is aborted. Pieces are queued,
/// and their [PendingCollective] tells the two apart.
final class NcclMover implements Mover {
    private final Nccl nccl;
    private final NcclComm comm;
    private final int rank;
    private final int size;

    /// @param comm owned, with its device
    NcclMover(Nccl nccl, NcclComm comm) {
        this.nccl = nccl;
        this.comm = comm;
        this.rank = comm.membership().rank();
        this.size = comm.membership().size();
    }

    @Override
    public void broadcast(BufferSlice slice, int root, CopyStream stream) {
        stream.synchronize();
        long address = address(slice);
        comm.call("ncclBroadcast",
                (c, s) -> nccl.ncclBroadcast(address, address, slice.byteSize(), root, c, s));
        comm.finish("ncclBroadcast from rank " + root);
    }

    @Override
    public void scatter(List<BufferSlice> parts, BufferSlice into, int root, CopyStream stream) {
        stream.synchronize();
        comm.group(() -> {
            if (rank != root) {
                receive(into, root);
                return;
            }
            for (int to = 0; to < size; to++) {
                if (to != root) {
                    send(parts.get(to), to);
                }
            }
        });
        if (rank == root) {
            BufferSlice own = parts.get(root);
            comm.stream().copy(own.buffer(), own.offset(), into.buffer(), into.offset(), own.byteSize());
        }
        comm.finish("the scatter from rank " + root);
    }

    @Override
    public void allGather(BufferSlice part, BufferSlice all, CopyStream stream) {
        stream.synchronize();
        comm.call("ncclAllGather",
                (c, s) -> nccl.ncclAllGather(address(part), address(all), part.byteSize(), c, s));
        comm.finish("ncclAllGather");
    }

    /// All pieces are one group of calls, which the library begins together. Parts of all ranks that are neighbours of one size
    /// are one all-gather.
    @Override
    public PendingCollective allGather(List<RankSlice> pieces, CopyStream stream) {
        comm.after(stream);
        comm.group(() -> {
            int next;
            for (int i = 0; i < pieces.size(); i = next) {
                boolean together = areNeighbours(pieces, i);
                next = i + (together ? size : 1);
                RankSlice first = pieces.get(i);
                long address = address(first.slice());
                long bytes = first.slice().byteSize();
                if (together) {
                    comm.call("ncclAllGather",
                            (c, s) -> nccl.ncclAllGather(address + rank * bytes, address, bytes, c, s));
                } else {
                    comm.call("ncclBroadcast",
                            (c, s) -> nccl.ncclBroadcast(address, address, bytes, first.root(), c, s));
                }
            }
        });
        return comm.begun("the all-gather of " + pieces.size() + " pieces", stream);
    }

    /// Whether a piece of each rank, in the order of ranks, lies behind the one before.
    private boolean areNeighbours(List<RankSlice> pieces, int from) {
        if (from + size > pieces.size()) {
            return false;
        }
        BufferSlice first = pieces.get(from).slice();
        for (int r = 0; r < size; r++) {
            BufferSlice each = pieces.get(from + r).slice();
            if (pieces.get(from + r).root() != r || !each.buffer().equals(first.buffer())
                    || each.byteSize() != first.byteSize() || each.offset() != first.offset() + r * first.byteSize()) {
                return false;
            }
        }
        return true;
    }

    @Override
    public void send(BufferSlice slice, int to, CopyStream stream) {
        stream.synchronize();
        send(slice, to);
        comm.finish("ncclSend to rank " + to);
    }

    @Override
    public void receive(BufferSlice slice, int from, CopyStream stream) {
        stream.synchronize();
        receive(slice, from);
        comm.finish("ncclRecv from rank " + from);
    }

    /// Both sides know where nothing moves.
    private void send(BufferSlice slice, int to) {
        if (slice.byteSize() > 0) {
            comm.call("ncclSend", (c, s) -> nccl.ncclSend(address(slice), slice.byteSize(), to, c, s));
        }
    }

    private void receive(BufferSlice slice, int from) {
        if (slice.byteSize() > 0) {
            comm.call("ncclRecv", (c, s) -> nccl.ncclRecv(address(slice), slice.byteSize(), from, c, s));
        }
    }

    private static long address(BufferSlice slice) {
        DeviceHandle handle = slice.buffer().handle();
        if (!handle.isPointer() || slice.buffer().segment().isPresent()) {
            throw new IllegalArgumentException("not memory of the group's device: " + handle);
        }
        return handle.value() + slice.offset();
    }

    @Override
    public void abort() {
        comm.abort();
    }

    @Override
    public void close(boolean whole) {
        try {
            comm.close(whole);
        } finally {
            comm.device().close();
        }
    }
}
