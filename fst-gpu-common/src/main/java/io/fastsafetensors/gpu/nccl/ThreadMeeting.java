package io.fastsafetensors.gpu.nccl;

import io.fastsafetensors.error.GroupException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.group.transport.ControlPlane;
import io.fastsafetensors.group.transport.GroupState;
import io.fastsafetensors.group.transport.Membership;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// Where the ranks of one JVM meet. Thread-safe.
final class ThreadMeeting {
    /// Who waits looks at its own group's state this often.
    private static final long LOOK_MILLIS = 20;
    private static final byte[] NOTHING = {};

    private final int size;
    private final Map<BitSet, Round> rounds = new HashMap<>();
    private final BitSet left = new BitSet();
    private @Nullable String failure;

    /// One meeting of some ranks.
    private static final class Round {
        private final BitSet missing;
        private final List<byte[]> messages;

        Round(int size, BitSet with) {
            missing = (BitSet) with.clone();
            messages = new ArrayList<>(Collections.nCopies(size, NOTHING));
        }
    }

    ThreadMeeting(int size) {
        this.size = size;
    }

    /// One rank's way to the others.
    ControlPlane controlOf(Membership membership, GroupState state) {
        return new ControlPlane() {
            @Override
            public List<byte[]> meet(String what, byte[] message, BitSet with) {
                return ThreadMeeting.this.meet(membership, state, what, message, with);
            }

            @Override
            public boolean meetsBeforeData() {
                return true;
            }

            @Override
            public void farewell(String reason) {
                leave(membership.rank(), reason);
            }
        };
    }

    private synchronized List<byte[]> meet(Membership who, GroupState state, String what, byte[] message, BitSet with) {
        Round round = rounds.computeIfAbsent(with, ranks -> new Round(size, (BitSet) ranks.clone()));
        round.messages.set(who.rank(), message);
        round.missing.clear(who.rank());
        if (round.missing.isEmpty()) {
            rounds.remove(with);
            notifyAll();
        }
        long end = System.nanoTime() + who.timeout().toNanos();
        boolean interrupted = false;
        while (!round.missing.isEmpty()) {
            state.requireWhole();
            requireNoFailure();
            if (round.missing.intersects(left)) {
                BitSet gone = (BitSet) round.missing.clone();
                gone.and(left);
                throw new GroupException(what + ": " + Membership.names(gone) + " left the group", Where.nowhere());
            }
            if (System.nanoTime() - end >= 0) {
                throw new GroupException(what + ": " + Membership.names(round.missing) + " did not come "
                        + who.withinTimeout(), Where.nowhere());
            }
            try {
                TimeUnit.MILLISECONDS.timedWait(this, LOOK_MILLIS);
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        return round.messages;
    }

    /// @throws GroupException if a rank has failed
    synchronized void requireNoFailure() {
        if (failure != null) {
            throw new GroupException(failure, Where.nowhere());
        }
    }

    /// @param reason empty if nothing failed
    synchronized void leave(int rank, String reason) {
        left.set(rank);
        if (failure == null && !reason.isEmpty()) {
            failure = reason;
        }
        notifyAll();
    }
}
