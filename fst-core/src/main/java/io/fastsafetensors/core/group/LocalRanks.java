package io.fastsafetensors.core.group;

import io.fastsafetensors.core.memory.Waits;
import io.fastsafetensors.error.GroupException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.group.transport.Membership;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// The state shared by the ranks of a local group: who has come, why the group is broken, and who touches whose memory.
/// Thread-safe; everything happens under one monitor.
///
/// A meeting is made by the first rank that comes to it and removed by the last. Waiting ranks are woken by whatever
/// changes: the group is small, and an operation on data takes longer than a few wake-ups.
final class LocalRanks {
    private final int size;
    private final Duration timeout;
    /// Ranks that were closed; they never come back.
    private final BitSet left = new BitSet();
    /// Meetings that not everybody has come to, by who is to come: two pairs of ranks may meet at a time.
    private final Map<BitSet, Round> rounds = new HashMap<>();
    /// How many ranks read each rank's memory now. A rank leaves an operation, broken or not, when nobody does.
    ///
    /// A failing rank could otherwise free memory that another one is copying from.
    private final int[] readersOf;
    private final Map<Integer, MemorySegment[]> staging = new HashMap<>();
    /// That of [#staging]; null until memory that the host cannot address is offered.
    private @Nullable Arena arena;
    /// Ranks inside an operation; the host buffers are not freed before the last has left it.
    private int busy;
    /// Why the group has ended, null while it is whole.
    private @Nullable GroupException broken;

    /// One meeting: the calls of those who came.
    private static final class Round {
        private final BitSet missing;
        private final List<LocalCall> calls;

        Round(int size, BitSet members) {
            missing = (BitSet) members.clone();
            calls = new ArrayList<>(Collections.nCopies(size, LocalCall.NONE));
        }
    }

    LocalRanks(int size, Duration timeout) {
        this.size = size;
        this.timeout = timeout;
        this.readersOf = new int[size];
    }

    int size() {
        return size;
    }

    Duration timeout() {
        return timeout;
    }

    /// Waits until every one of some ranks has called.
    ///
    /// @return the calls, by rank
    /// @throws GroupException if one does not come in time, has left, or calls something else
    synchronized List<LocalCall> meet(int rank, LocalCall call, BitSet members) {
        requireWhole();
        Round round = rounds.computeIfAbsent(members, m -> new Round(size, m));
        if (!round.missing.get(rank)) {
            throw new IllegalStateException("rank " + rank + " is used by two threads at a time");
        }
        for (int other = 0; other < size; other++) {
            LocalCall theirs = round.calls.get(other);
            if (theirs != LocalCall.NONE && !theirs.agrees(call)) {
                throw breakUp("the ranks call different things: rank " + other + " " + theirs + ", rank " + rank + " "
                        + call, null);
            }
        }
        round.calls.set(rank, call);
        round.missing.clear(rank);
        if (round.missing.isEmpty()) {
            rounds.remove(members);
            notifyAll();
        } else if (round.missing.intersects(left)) {
            BitSet gone = (BitSet) round.missing.clone();
            gone.and(left);
            throw breakUp(call + ": " + Membership.names(gone) + " left the group", null);
        }
        await(round.missing::isEmpty, () -> call + ": " + Membership.names(round.missing) + " did not come");
        return round.calls;
    }

    /// Waits for what other ranks do.
    ///
    /// An interrupt does not end the wait; the timeout does.
    ///
    /// @param over asked under the monitor whenever something happened
    /// @param what the failure's text if it does not happen in time
    /// @throws GroupException if the group breaks meanwhile, or the time is over
    synchronized void await(BooleanSupplier over, Supplier<String> what) {
        long end = System.nanoTime() + timeout.toNanos();
        boolean interrupted = false;
        while (!over.getAsBoolean()) {
            requireWhole();
            long nanos = end - System.nanoTime();
            if (nanos <= 0) {
                throw breakUp(what.get() + " within " + timeout.toMillis() / 1e3 + " s", null);
            }
            try {
                wait(TimeUnit.NANOSECONDS.toMillis(nanos) + 1);
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /// Something happens that others may wait for.
    synchronized void changed(Runnable change) {
        change.run();
        notifyAll();
    }

    /// Ends the group for everybody. The first reason stays.
    ///
    /// @return what to throw
    synchronized GroupException breakUp(String why, @Nullable Throwable cause) {
        GroupException failure = new GroupException(why, Where.nowhere(), cause);
        if (broken == null) {
            broken = failure;
            notifyAll();
        }
        return failure;
    }

    /// An exception for each caller: it is thrown on several threads.
    private void requireWhole() {
        if (broken != null) {
            throw new GroupException("the group is broken: " + broken.getMessage(), Where.nowhere(), broken);
        }
    }

    /// A rank begins an operation.
    ///
    /// @throws GroupException if the group is broken
    /// @throws IllegalStateException if the rank has left
    synchronized void enter(int rank) {
        if (left.get(rank)) {
            throw new IllegalStateException("rank " + rank + " has left the group: it is closed");
        }
        requireWhole();
        busy++;
    }

    /// A rank ends an operation; waits until nobody touches its memory any more.
    synchronized void exit(int rank) {
        Waits.uninterruptibly(this, () -> readersOf[rank] == 0);
        busy--;
        freeIfDeserted();
    }

    /// Reads another rank's memory, which stays until that is done.
    void reading(int owner, Runnable work) {
        synchronized (this) {
            requireWhole();
            readersOf[owner]++;
        }
        try {
            work.run();
        } finally {
            changed(() -> readersOf[owner]--);
        }
    }

    /// Two host buffers of a rank for memory that the host cannot address, made when they are first asked for.
    @SuppressWarnings("MustBeClosed")
    synchronized MemorySegment[] staging(int rank) {
        if (arena == null) {
            arena = Arena.ofShared();
        }
        Arena memory = arena;
        return staging.computeIfAbsent(rank,
                _ -> new MemorySegment[] {memory.allocate(SharedSlice.STEP, SharedSlice.ALIGNMENT),
                    memory.allocate(SharedSlice.STEP, SharedSlice.ALIGNMENT)});
    }

    /// A rank leaves; ranks that wait for it, now or later, fail.
    synchronized void leave(int rank) {
        left.set(rank);
        for (BitSet members : rounds.keySet()) {
            if (members.get(rank) && broken == null) {
                breakUp("rank " + rank + " left the group", null);
            }
        }
        freeIfDeserted();
    }

    /// The last rank to leave, or to end its operation after all have left, frees the host buffers.
    private void freeIfDeserted() {
        if (busy == 0 && left.cardinality() == size && arena != null) {
            staging.clear();
            arena.close();
            arena = null;
        }
    }

    /// A description of one rank's call in a local group, with the memory it offers; compared with the others' calls.
    /// Immutable.
    ///
    /// Calls travel as objects and not as bytes, because they carry memory: what a rank offers can be read by the others
    /// as soon as they have met.
    static final class LocalCall {
        private static final byte[] NOTHING = {};
        /// Of a rank that has not called.
        static final LocalCall NONE = plain(Kind.NONE, NOTHING);
        /// The end of an operation on data.
        static final LocalCall END = plain(Kind.END, NOTHING);

        enum Kind {
            NONE, BARRIER, EXCHANGE, BROADCAST, SCATTER, ALL_GATHER, PIECES, TRANSFER, END
        }

        private final Kind kind;
        /// The rank that the data comes from, −1 if from all or from none.
        private final int root;
        private final long bytes;
        /// Of an exchange; for pieces, what must be the same on every rank.
        private final byte[] message;
        private final List<SharedSlice> offers;

        private LocalCall(Kind kind, int root, long bytes, byte[] message, List<SharedSlice> offers) {
            this.kind = kind;
            this.root = root;
            this.bytes = bytes;
            this.message = message;
            this.offers = offers;
        }

        static LocalCall plain(Kind kind, byte[] message) {
            return new LocalCall(kind, -1, -1, message, List.of());
        }

        /// @param root the rank that the data comes from, −1 if from all
        /// @param bytes how many bytes this rank expects
        /// @param offers this rank's memory that others read: one for all, or one a receiver
        static LocalCall data(Kind kind, int root, long bytes, List<SharedSlice> offers) {
            return new LocalCall(kind, root, bytes, NOTHING, offers);
        }

        /// @param bytes of all pieces
        /// @param told roots and sizes, which are the same on every rank
        /// @param offers this rank's memory for each piece, of which others read those it is the root of
        static LocalCall pieces(long bytes, byte[] told, List<SharedSlice> offers) {
            return new LocalCall(Kind.PIECES, -1, bytes, told.clone(), offers);
        }

        long bytes() {
            return bytes;
        }

        /// A copy of the message of an exchange.
        byte[] message() {
            return message.clone();
        }

        List<SharedSlice> offers() {
            return offers;
        }

        /// Whether two ranks that call this go together.
        boolean agrees(LocalCall other) {
            return kind == other.kind && root == other.root && (bytes == other.bytes || kind == Kind.SCATTER)
                    && (kind != Kind.PIECES || Arrays.equals(message, other.message));
        }

        /// The call for people.
        @Override
        public String toString() {
            return kind.name().toLowerCase(Locale.ROOT).replace('_', ' ')
                    + (bytes < 0 || kind == Kind.SCATTER ? "" : " of " + bytes + " bytes")
                    + (kind == Kind.PIECES ? " in " + offers.size() : "")
                    + (root < 0 ? "" : " from rank " + root);
        }
    }
}
