package io.fastsafetensors.core.transfer;

import io.fastsafetensors.core.memory.Waits;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;

/// Tracks the blocks that have arrived, and lets threads wait for them. Readers report, any thread waits.
public final class BlockCompletion {
    private final AtomicIntegerArray arrived;
    private final IntConsumer before;
    private final Object changed = new Object();
    private int waiting;
    private volatile @Nullable RuntimeException failure;
    private volatile boolean told;

    /// @param blocks how many blocks the plan has
    public BlockCompletion(int blocks) {
        this(blocks, _ -> {
        });
    }

    /// @param before told of each block just before anybody can see that it is in place, one at a time
    BlockCompletion(int blocks, IntConsumer before) {
        this.arrived = new AtomicIntegerArray(blocks);
        this.before = before;
    }

    /// A block is in place.
    public void arrive(int block) {
        synchronized (changed) {
            before.accept(block);
            arrived.set(block, 1);
            if (waiting > 0) {
                changed.notifyAll();
            }
        }
    }

    /// Ends the waiting of everybody whose blocks are not there. The first failure stays.
    ///
    /// @return whether this was the first
    public boolean fail(RuntimeException why) {
        synchronized (changed) {
            if (failure != null) {
                return false;
            }
            failure = why;
            changed.notifyAll();
            return true;
        }
    }

    /// What failed the load, if anything.
    public @Nullable RuntimeException failure() {
        return failure;
    }

    /// Whether [#requireSuccess()] has thrown the failure to a caller.
    boolean isTold() {
        return told;
    }

    /// Throws what failed the load, if anything did: to each caller an exception of its own.
    public void requireSuccess() {
        RuntimeException why = failure;
        if (why != null) {
            told = true;
            throw Failures.copy(why);
        }
    }

    /// Whether the blocks `[first, last]` are in place; true for an empty range.
    public boolean isThere(int first, int last) {
        for (int block = first; block <= last; block++) {
            if (arrived.get(block) == 0) {
                return false;
            }
        }
        return true;
    }

    /// Waits for the blocks `[first, last]`.
    ///
    /// @param what what they are, for the message
    /// @throws io.fastsafetensors.error.LoadInterruptedException if the thread is interrupted
    /// @throws RuntimeException what failed the load, if these blocks will not come
    public void await(int first, int last, String what) {
        if (!isThere(first, last)) {
            synchronized (changed) {
                waiting++;
                try {
                    Waits.interruptibly(changed, () -> isOver(first, last), what);
                } finally {
                    waiting--;
                }
            }
            requireThere(first, last);
        }
    }

    /// Waits for the blocks `[first, last]`, on a thread of the load.
    ///
    /// @throws RuntimeException what failed the load, if these blocks will not come
    public void await(int first, int last) {
        if (!awaitEnd(first, last)) {
            requireSuccess();
        }
    }

    private void requireThere(int first, int last) {
        if (!isThere(first, last)) {
            requireSuccess();
        }
    }

    private boolean isOver(int first, int last) {
        return isThere(first, last) || failure != null;
    }

    /// Waits until the blocks `[first, last]` are there or the load has failed. An interrupt does not end the wait.
    ///
    /// @return whether they are there
    public boolean awaitEnd(int first, int last) {
        if (isThere(first, last)) {
            return true;
        }
        synchronized (changed) {
            waiting++;
            Waits.uninterruptibly(changed, () -> isOver(first, last));
            waiting--;
        }
        return isThere(first, last);
    }
}
