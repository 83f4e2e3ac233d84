package io.fastsafetensors.backend.cpu.mpi;

import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.group.PendingCollective;
import io.fastsafetensors.group.RankSlice;
import io.fastsafetensors.group.transport.Mover;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.IntStream;

/// Moves host memory in steps, each of which is one request a peer. Steps keep counts within the `int` of MPI, and a
/// deadline near the last progress.
final class MpiMover implements Mover {
    /// Large enough that a step costs nothing compared with its bytes.
    static final long STEP = 64 << 20;
    private static final int DATA_TAG = 4;

    private final MpiLink link;
    private final Runnable onClose;
    private final int rank;
    private final int size;

    /// @param onClose runs when the group is closed
    MpiMover(MpiLink link, Runnable onClose) {
        this.link = link;
        this.onClose = onClose;
        this.rank = link.membership().rank();
        this.size = link.membership().size();
    }

    @Override
    public void broadcast(BufferSlice slice, int root, CopyStream stream) {
        MemorySegment memory = memory(slice, stream);
        steps(memory.byteSize(), () -> "the broadcast from rank " + root,
                at -> List.of(link.broadcast(step(memory, at), root)));
    }

    @Override
    public void scatter(List<BufferSlice> parts, BufferSlice into, int root, CopyStream stream) {
        if (rank != root) {
            receive(into, root, stream);
            return;
        }
        List<MemorySegment> memory = parts.stream().map(part -> memory(part, stream)).toList();
        MemorySegment mine = memory(into, stream);
        if (mine.address() != memory.get(root).address()) {
            mine.copyFrom(memory.get(root));
        }
        long longest = memory.stream().mapToLong(MemorySegment::byteSize).max().orElse(0);
        steps(longest, () -> "the scatter from this rank " + root, at -> {
            List<MpiRequest> requests = new ArrayList<>();
            for (int to = 0; to < size; to++) {
                if (to != root && at < memory.get(to).byteSize()) {
                    requests.add(link.send(step(memory.get(to), at), to, DATA_TAG));
                }
            }
            return requests;
        });
    }

    /// One broadcast of each rank at a time: each part is read once from where it is by everybody who needs it.
    @Override
    public void allGather(BufferSlice part, BufferSlice all, CopyStream stream) {
        long bytes = part.byteSize();
        MemorySegment memory = memory(all, stream);
        MemorySegment from = memory(part, stream);
        List<MemorySegment> places = IntStream.range(0, size).mapToObj(r -> memory.asSlice(r * bytes, bytes)).toList();
        if (from.address() != places.get(rank).address()) {
            places.get(rank).copyFrom(from);
        }
        steps(bytes, () -> "the all-gather", at -> IntStream.range(0, size)
                .mapToObj(r -> link.broadcast(step(places.get(r), at), r)).toList());
    }

    /// One broadcast of each piece, all at the same time.
    @Override
    public PendingCollective allGather(List<RankSlice> pieces, CopyStream stream) {
        List<MemorySegment> memory = pieces.stream().map(piece -> memory(piece.slice(), stream)).toList();
        long longest = memory.stream().mapToLong(MemorySegment::byteSize).max().orElse(0);
        steps(longest, () -> "the all-gather of " + pieces.size() + " pieces", at -> {
            List<MpiRequest> requests = new ArrayList<>();
            for (int i = 0; i < memory.size(); i++) {
                if (at < memory.get(i).byteSize()) {
                    requests.add(link.broadcast(step(memory.get(i), at), pieces.get(i).root()));
                }
            }
            return requests;
        });
        return PendingCollective.DONE;
    }

    @Override
    public void send(BufferSlice slice, int to, CopyStream stream) {
        MemorySegment memory = memory(slice, stream);
        steps(memory.byteSize(), () -> "the transfer to rank " + to,
                at -> List.of(link.send(step(memory, at), to, DATA_TAG)));
    }

    @Override
    public void receive(BufferSlice slice, int from, CopyStream stream) {
        MemorySegment memory = memory(slice, stream);
        steps(memory.byteSize(), () -> "the transfer from rank " + from,
                at -> List.of(link.receive(step(memory, at), from, DATA_TAG)));
    }

    private interface Step {
        List<MpiRequest> begin(long at);
    }

    private void steps(long bytes, Supplier<String> what, Step step) {
        for (long at = 0; at < bytes; at += STEP) {
            link.await(step.begin(at), Patience.DATA,
                    () -> what.get() + " made no progress; a rank may have died (MPI does not tell which)");
        }
    }

    private static MemorySegment step(MemorySegment memory, long at) {
        return memory.asSlice(at, Math.min(STEP, memory.byteSize() - at));
    }

    /// The slice's memory, when the stream's work on it is done.
    private static MemorySegment memory(BufferSlice slice, CopyStream stream) {
        MemorySegment memory = slice.buffer().segment().orElseThrow(
                () -> new IllegalArgumentException("the transport mpi moves host memory only"));
        stream.synchronize();
        return memory.asSlice(slice.offset(), slice.byteSize());
    }

    @Override
    public void close(boolean whole) {
        try {
            link.close();
        } finally {
            onClose.run();
        }
    }
}
