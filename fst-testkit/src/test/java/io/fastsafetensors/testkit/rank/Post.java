package io.fastsafetensors.testkit.rank;

import io.fastsafetensors.error.GroupException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.group.transport.GroupState;
import io.fastsafetensors.group.transport.Membership;
import java.util.ArrayDeque;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;
import java.util.Queue;

/// Messages between the ranks of one group, each kept until its receiver takes it.
final class Post {
    private final Map<Integer, Queue<byte[]>> messages = new HashMap<>();
    private final Map<Integer, String> gone = new HashMap<>();
    private final int size;
    /// Whether those who wait are told of the deadline, and of ranks that left.
    private final boolean watched;

    Post(int size, boolean watched) {
        this.size = size;
        this.watched = watched;
    }

    synchronized void put(int from, int to, byte[] message) {
        queue(from, to).add(message);
        notifyAll();
    }

    synchronized void leave(int rank, String reason) {
        gone.put(rank, reason.isEmpty() ? "rank " + rank + " has left the group" : reason);
        notifyAll();
    }

    synchronized byte[] take(Membership mine, GroupState state, String what, int from) {
        BitSet one = new BitSet();
        one.set(from);
        await(mine, state, what, one);
        return queue(from, mine.rank()).remove();
    }

    /// Waits until each of these ranks has told this one something.
    synchronized void await(Membership mine, GroupState state, String what, BitSet from) {
        long deadline = System.nanoTime() + mine.timeout().toNanos();
        while (true) {
            state.requireWhole();
            BitSet missing = new BitSet();
            from.stream().filter(other -> queue(other, mine.rank()).isEmpty()).forEach(missing::set);
            if (missing.isEmpty()) {
                return;
            }
            missing.stream().filter(gone::containsKey).findFirst().ifPresent(other -> {
                throw new GroupException(what + " failed: " + gone.get(other), Where.nowhere());
            });
            if (watched && System.nanoTime() > deadline) {
                throw new GroupException(what + ": " + Membership.names(missing) + " did not come "
                        + mine.withinTimeout(), Where.nowhere());
            }
            try {
                wait(20);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new GroupException("interrupted", Where.nowhere(), e);
            }
        }
    }

    private Queue<byte[]> queue(int from, int to) {
        return messages.computeIfAbsent(from * size + to, _ -> new ArrayDeque<>());
    }
}
