package io.fastsafetensors.core.group;

import io.fastsafetensors.core.group.LocalRanks.LocalCall;
import io.fastsafetensors.core.group.LocalRanks.LocalCall.Kind;
import io.fastsafetensors.error.GroupException;
import io.fastsafetensors.group.Bootstrap;
import io.fastsafetensors.group.PendingCollective;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.group.RankSlice;
import io.fastsafetensors.group.transport.Arguments;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.function.Consumer;

/// One rank of a group whose ranks are threads of this JVM. Receivers copy straight out of a sender's memory where the
/// host can address that, else out of host buffers that the sender fills. An operation has finished when it returns.
///
/// An operation on data meets twice: before, to tell what each rank calls and offers, and after, so that no rank goes on,
/// and frees its memory, while another one reads it. A rank that fails in between breaks the group, because the others
/// wait for its second meeting.
///
/// It does not stand on the transport base of fst-api, on purpose: there calls are compared as bytes, before and
/// apart from the data, while here one meeting both compares calls and hands out memory; and it moves the memory of
/// every device, and throws what a device throws unchanged, because no library is in between.
final class LocalGroup implements ProcessGroup {
    static final String NAME = "local";

    /// What all ranks of the group share.
    private final LocalRanks ranks;
    private final int rank;
    /// All ranks: who meets in most operations.
    private final BitSet everybody = new BitSet();

    private LocalGroup(LocalRanks ranks, int rank) {
        this.ranks = ranks;
        this.rank = rank;
        everybody.set(0, ranks.size());
    }

    /// All ranks of a new group.
    static List<ProcessGroup> of(int size, Duration timeout) {
        if (size < 1) {
            throw new IllegalArgumentException(size + " ranks; expected 1 or more");
        }
        LocalRanks shared = new LocalRanks(size, Bootstrap.requireTimeout(timeout));
        List<ProcessGroup> groups = new ArrayList<>(size);
        for (int r = 0; r < size; r++) {
            groups.add(new LocalGroup(shared, r));
        }
        return List.copyOf(groups);
    }

    @Override
    public String transport() {
        return NAME;
    }

    @Override
    public int rank() {
        return rank;
    }

    @Override
    public int size() {
        return ranks.size();
    }

    @Override
    public Duration timeout() {
        return ranks.timeout();
    }

    @Override
    public boolean moves(String deviceType) {
        return true;
    }

    @Override
    public void barrier() {
        talk(Kind.BARRIER, new byte[0]);
    }

    @Override
    public List<byte[]> exchange(byte[] message) {
        return talk(Kind.EXCHANGE, message.clone());
    }

    /// An operation without data: one meeting is enough.
    ///
    /// Messages are copied on both sides.
    private List<byte[]> talk(Kind kind, byte[] message) {
        ranks.enter(rank);
        try {
            return ranks.meet(rank, LocalCall.plain(kind, message), everybody).stream().map(LocalCall::message)
                    .toList();
        } finally {
            ranks.exit(rank);
        }
    }

    @Override
    public void broadcast(BufferSlice slice, int root, CopyStream stream) {
        Arguments.requireRank(root, size());
        List<SharedSlice> offers = rank == root ? List.of(new SharedSlice(rank, slice, without(root))) : List.of();
        move(LocalCall.data(Kind.BROADCAST, root, slice.byteSize(), offers), everybody, stream,
                calls -> pass(calls.get(root).offers().getFirst(), slice, stream));
    }

    @Override
    public void scatter(List<BufferSlice> parts, BufferSlice into, int root, CopyStream stream) {
        Arguments.requireRank(root, size());
        List<SharedSlice> offers = new ArrayList<>();
        if (rank == root) {
            Arguments.requireParts(parts, size());
            Arguments.requireSize(parts.get(root).byteSize(), into);
            for (int r = 0; r < size(); r++) {
                offers.add(new SharedSlice(rank, parts.get(r), only(r)));
            }
        }
        move(LocalCall.data(Kind.SCATTER, root, into.byteSize(), offers), everybody, stream, calls -> {
            List<SharedSlice> offered = calls.get(root).offers();
            requireExpected(offered, calls);
            if (rank != root) {
                pass(offered.get(rank), into, stream);
                return;
            }
            copy(parts.get(root), into, stream);
            for (int r = 0; r < size(); r++) {
                if (r != root) {
                    offered.get(r).serve(ranks, stream);
                }
            }
        });
    }

    /// Every rank looks at what all expect, so that a wrong size is told on all of them and not only where it is.
    private void requireExpected(List<SharedSlice> offered, List<LocalCall> calls) {
        for (int r = 0; r < size(); r++) {
            long sent = offered.get(r).byteSize();
            if (sent != calls.get(r).bytes()) {
                throw ranks.breakUp(calls.get(r) + ": rank " + r + " expects " + calls.get(r).bytes()
                        + " bytes and is sent " + sent, null);
            }
        }
    }

    @Override
    public void allGather(BufferSlice part, BufferSlice all, CopyStream stream) {
        long bytes = part.byteSize();
        if (all.byteSize() != bytes * size()) {
            throw new IllegalArgumentException(size() + " parts of " + bytes + " bytes into " + all.byteSize());
        }
        BufferSlice place = all.part(rank * bytes, bytes);
        List<SharedSlice> offers = List.of(new SharedSlice(rank, part, without(rank)));
        move(LocalCall.data(Kind.ALL_GATHER, -1, bytes, offers), everybody, stream, calls -> {
            if (!part.equals(place)) {
                copy(part, place, stream);
            }
            for (int r = 0; r < size(); r++) {
                pass(calls.get(r).offers().getFirst(), all.part(r * bytes, bytes), stream);
            }
        });
    }

    /// Piece after piece, each from its root to all others.
    @Override
    public PendingCollective allGather(List<RankSlice> pieces, CopyStream stream) {
        pieces.forEach(piece -> Arguments.requireRank(piece.root(), size()));
        List<SharedSlice> offers = new ArrayList<>(pieces.size());
        StringBuilder sizes = new StringBuilder();
        long bytes = 0;
        for (RankSlice piece : pieces) {
            offers.add(new SharedSlice(piece.root(), piece.slice(), without(piece.root())));
            sizes.append(piece.root()).append(':').append(piece.slice().byteSize()).append(' ');
            bytes += piece.slice().byteSize();
        }
        byte[] told = sizes.toString().getBytes(StandardCharsets.US_ASCII);
        move(LocalCall.pieces(bytes, told, offers), everybody, stream, calls -> {
            for (int i = 0; i < pieces.size(); i++) {
                int root = pieces.get(i).root();
                pass(calls.get(root).offers().get(i), pieces.get(i).slice(), stream);
            }
        });
        return PendingCollective.DONE;
    }

    @Override
    public void send(BufferSlice slice, int to, CopyStream stream) {
        Arguments.requireOther(to, rank, size());
        transfer(rank, to, slice, List.of(new SharedSlice(rank, slice, only(to))), stream);
    }

    @Override
    public void receive(BufferSlice slice, int from, CopyStream stream) {
        Arguments.requireOther(from, rank, size());
        transfer(from, rank, slice, List.of(), stream);
    }

    /// Between two ranks alone; others may be in an operation of their own.
    private void transfer(int from, int to, BufferSlice slice, List<SharedSlice> offers, CopyStream stream) {
        BitSet both = only(from);
        both.set(to);
        move(LocalCall.data(Kind.TRANSFER, from, slice.byteSize(), offers), both, stream,
                calls -> pass(calls.get(from).offers().getFirst(), slice, stream));
    }

    /// This rank's side of what one rank offers to others.
    ///
    /// The owner only serves; its own copy, where it wants one, is its own affair.
    private void pass(SharedSlice offer, BufferSlice target, CopyStream stream) {
        if (offer.owner() == rank) {
            offer.serve(ranks, stream);
        } else {
            offer.take(ranks, rank, target, stream);
        }
    }

    private static void copy(BufferSlice from, BufferSlice to, CopyStream stream) {
        stream.copy(from.buffer(), from.offset(), to.buffer(), to.offset(), from.byteSize());
    }

    /// A new set, which the caller may change.
    private static BitSet only(int one) {
        BitSet set = new BitSet();
        set.set(one);
        return set;
    }

    private BitSet without(int one) {
        BitSet set = (BitSet) everybody.clone();
        set.clear(one);
        return set;
    }

    /// Meets, moves data and meets again, so that nobody's memory is touched when it returns.
    ///
    /// What fails between the two meetings breaks the group, since the others wait for the second one; what is
    /// refused before the first breaks nothing.
    ///
    /// @param members the ranks that take part, this one among them
    /// @param stream synchronized before others read what was queued on it, and after this rank has copied
    /// @param work copies; given the calls of all, by rank
    private void move(LocalCall mine, BitSet members, CopyStream stream, Consumer<List<LocalCall>> work) {
        ranks.enter(rank);
        try {
            stream.synchronize();
            work.accept(ranks.meet(rank, mine, members));
            stream.synchronize();
            ranks.meet(rank, LocalCall.END, members);
        } catch (GroupException e) {
            throw e;
        } catch (RuntimeException | Error e) {
            ranks.breakUp("rank " + rank + " failed in " + mine + ": " + e.getMessage(), e);
            throw e;
        } finally {
            ranks.exit(rank);
        }
    }

    @Override
    public void close() {
        ranks.leave(rank);
    }

    @Override
    public String toString() {
        return "rank " + rank + " of " + size() + " (" + NAME + ")";
    }
}
