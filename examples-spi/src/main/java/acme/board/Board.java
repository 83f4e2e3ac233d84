package acme.board;

import io.fastsafetensors.error.GroupException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.group.transport.Membership;
import java.util.ArrayDeque;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;
import java.util.Queue;

/// Messages between the ranks of one group, each kept until its receiver takes it.
final class Board {
    private final Map<Integer, Queue<byte[]>> messages = new HashMap<>();
    private final Map<Integer, String> gone = new HashMap<>();
    private final int size;

    Board(int size) {
        this.size = size;
    }

    synchronized void put(int from, int to, byte[] message) {
        queue(from, to).add(message);
        notifyAll();
    }

    synchronized void leave(int rank, String reason) {
        gone.put(rank, reason.isEmpty() ? "rank " + rank + " has left the group" : reason);
        notifyAll();
    }

    synchronized byte[] take(BoardRank rank, String what, int from) {
        BitSet one = new BitSet();
        one.set(from);
        await(rank, what, one);
        return queue(from, rank.membership().rank()).remove();
    }

    /// Waits until each of these ranks has told this one something.
    synchronized void await(BoardRank rank, String what, BitSet from) {
        long deadline = System.nanoTime() + rank.membership().timeout().toNanos();
        while (true) {
            rank.state.requireWhole();
            BitSet missing = new BitSet();
            from.stream().filter(other -> queue(other, rank.membership().rank()).isEmpty()).forEach(missing::set);
            if (missing.isEmpty()) {
                return;
            }
            missing.stream().filter(gone::containsKey).findFirst().ifPresent(other -> {
                throw new GroupException(what + " failed: " + gone.get(other), Where.nowhere());
            });
            long left = (deadline - System.nanoTime()) / 1_000_000;
            if (left <= 0) {
                throw new GroupException(what + ": " + Membership.names(missing) + " did not come "
                        + rank.membership().withinTimeout(), Where.nowhere());
            }
            pause(Math.min(left, 50));
        }
    }

    /// Short, since a group that is closed meanwhile tells nobody here.
    private void pause(long millis) {
        try {
            wait(millis);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new GroupException("interrupted", Where.nowhere(), e);
        }
    }

    private Queue<byte[]> queue(int from, int to) {
        return messages.computeIfAbsent(from * size + to, _ -> new ArrayDeque<>());
    }
}
