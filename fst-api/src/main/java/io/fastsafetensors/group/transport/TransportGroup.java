package io.fastsafetensors.group.transport;

import io.fastsafetensors.error.GroupException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.group.PendingCollective;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.group.RankSlice;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.group.transport.Call.Kind;
import java.time.Duration;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;
import java.util.stream.IntStream;

/// One rank of a group, on whatever transport: checks arguments, lets the ranks compare what they call, moves, and ends
/// the group at the first failure. An operation has finished when it returns.
public final class TransportGroup implements ProcessGroup {
    private static final int LARGEST_MESSAGE = 1 << 20;

    private final Membership membership;
    private final GroupState state;
    private final ControlPlane control;
    private final Mover mover;
    private final BitSet everybody = new BitSet();
    /// Held while an operation runs, so that nothing is freed under it.
    private final ReentrantLock busy = new ReentrantLock();
    /// Guarded by `busy`.
    private boolean released;

    /// @param state what `control` and `mover` ask while they wait
    /// @param control owned by nobody; its transport frees it with the mover
    /// @param mover owned
    public TransportGroup(Membership membership, GroupState state, ControlPlane control, Mover mover) {
        this.membership = membership;
        this.state = state;
        this.control = control;
        this.mover = mover;
        everybody.set(0, membership.size());
    }

    @Override
    public String transport() {
        return membership.transport();
    }

    @Override
    public int rank() {
        return membership.rank();
    }

    @Override
    public int size() {
        return membership.size();
    }

    @Override
    public Duration timeout() {
        return membership.timeout();
    }

    @Override
    public boolean moves(String deviceType) {
        return membership.deviceType().equals(deviceType);
    }

    @Override
    public void barrier() {
        run(() -> meet(Call.barrier(), everybody));
    }

    @Override
    public List<byte[]> exchange(byte[] message) {
        if (message.length >= LARGEST_MESSAGE) {
            throw new IllegalArgumentException("a message of " + message.length + " bytes; messages stay under 1 MiB");
        }
        List<byte[]> answers = new ArrayList<>();
        run(() -> meet(Call.exchange(message), everybody).forEach(call -> answers.add(call.message())));
        return answers;
    }

    @Override
    public void broadcast(BufferSlice slice, int root, CopyStream stream) {
        Arguments.requireRank(root, size());
        move(Call.data(Kind.BROADCAST, root, slice.byteSize()), everybody, slice.byteSize() > 0,
                () -> mover.broadcast(slice, root, stream));
    }

    @Override
    public void scatter(List<BufferSlice> parts, BufferSlice into, int root, CopyStream stream) {
        Arguments.requireRank(root, size());
        long[] sizes = {};
        if (rank() == root) {
            Arguments.requireParts(parts, size());
            Arguments.requireSize(parts.get(root).byteSize(), into);
            sizes = parts.stream().mapToLong(BufferSlice::byteSize).toArray();
        }
        move(Call.scatter(root, into.byteSize(), sizes), everybody, true,
                () -> mover.scatter(parts, into, root, stream));
    }

    @Override
    public void allGather(BufferSlice part, BufferSlice all, CopyStream stream) {
        Arguments.requireSize(Math.multiplyExact(part.byteSize(), size()), all);
        move(Call.allGather(part.byteSize()), everybody, part.byteSize() > 0,
                () -> mover.allGather(part, all, stream));
    }

    @Override
    public PendingCollective allGather(List<RankSlice> pieces, CopyStream stream) {
        pieces.forEach(piece -> Arguments.requireRank(piece.root(), size()));
        List<RankSlice> some = pieces.stream().filter(piece -> piece.slice().byteSize() > 0).toList();
        List<PendingCollective> begun = new ArrayList<>(1);
        move(Call.pieces(pieces), everybody, !some.isEmpty(), () -> begun.add(mover.allGather(some, stream)));
        return begun.isEmpty() || begun.getFirst().equals(PendingCollective.DONE) ? PendingCollective.DONE
                : new Begun(begun.getFirst());
    }

    /// An operation that goes on beside the caller: its caller uses the group.
    private final class Begun implements PendingCollective {
        private final PendingCollective work;

        Begun(PendingCollective work) {
            this.work = work;
        }

        @Override
        public boolean isDone() {
            boolean[] done = new boolean[1];
            run(() -> done[0] = work.isDone());
            return done[0];
        }

        @Override
        public void await() {
            run(work::await);
        }

        @Override
        public void close() {
            work.close();
        }
    }

    @Override
    public void send(BufferSlice slice, int to, CopyStream stream) {
        move(Call.data(Kind.TRANSFER, rank(), slice.byteSize()), pair(to), slice.byteSize() > 0,
                () -> mover.send(slice, to, stream));
    }

    @Override
    public void receive(BufferSlice slice, int from, CopyStream stream) {
        move(Call.data(Kind.TRANSFER, from, slice.byteSize()), pair(from), slice.byteSize() > 0,
                () -> mover.receive(slice, from, stream));
    }

    private BitSet pair(int other) {
        Arguments.requireOther(other, rank(), size());
        BitSet both = new BitSet();
        both.set(other);
        both.set(rank());
        return both;
    }

    private void move(Call mine, BitSet with, boolean something, Runnable work) {
        run(() -> {
            if (control.meetsBeforeData()) {
                meet(mine, with);
            }
            if (something) {
                work.run();
            }
        });
    }

    private List<Call> meet(Call mine, BitSet with) {
        List<byte[]> messages = control.meet(mine.toString(), mine.encode(), with);
        List<Call> calls = IntStream.range(0, size())
                .mapToObj(r -> with.get(r) ? Call.decode(r, messages.get(r)) : mine).toList();
        for (int other = 0; other < size(); other++) {
            Call.requireSame(rank(), mine, other, calls.get(other));
        }
        return calls;
    }

    private void run(Runnable operation) {
        if (!busy.tryLock()) {
            state.requireWhole();
            throw new IllegalStateException("rank " + rank() + " is used by two threads at a time");
        }
        try {
            state.requireWhole();
            operation.run();
        } catch (GroupException e) {
            throw broken(e);
        } catch (IllegalStateException | IllegalArgumentException e) {
            broken(new GroupException(String.valueOf(e.getMessage()), Where.backend(transport()), e));
            throw e;
        } catch (RuntimeException e) {
            throw broken(new GroupException(String.valueOf(e.getMessage()), Where.nowhere(), e));
        } finally {
            busy.unlock();
        }
    }

    /// Whatever is under way ends here: its memory may be freed as soon as the caller knows of the failure.
    private GroupException broken(GroupException e) {
        if (state.fail(e)) {
            farewell("rank " + rank() + " failed: " + e.getMessage(), e);
            try {
                abort();
            } catch (RuntimeException late) {
                e.addSuppressed(late);
            }
        }
        return e;
    }

    private void abort() {
        if (!released) {
            mover.abort();
        }
    }

    private void farewell(String reason, GroupException failure) {
        try {
            control.farewell(reason);
        } catch (RuntimeException e) {
            failure.addSuppressed(e);
        }
    }

    /// Waits for an operation of this rank that is under way, which ends at once.
    @Override
    public void close() {
        if (!state.close()) {
            return;
        }
        busy.lock();
        try {
            if (state.isWhole()) {
                control.farewell("");
            }
        } finally {
            try {
                released = true;
                mover.close(state.isWhole());
            } finally {
                busy.unlock();
            }
        }
    }
}
