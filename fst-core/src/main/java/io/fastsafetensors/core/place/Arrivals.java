package io.fastsafetensors.core.place;

import io.fastsafetensors.core.memory.Uninterruptibly;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.jspecify.annotations.Nullable;

/// Which blocks are in place, and who waits for them. Readers report, any thread waits.
public final class Arrivals {
    private final AtomicIntegerArray arrived;
    private final Object changed = new Object();
    private int waiting;
    private volatile @Nullable RuntimeException failure;

    /// @param blocks how many blocks the plan has
    public Arrivals(int blocks) {
        arrived = new AtomicIntegerArray(blocks);
    }

    /// A block is in place.
    public void arrive(int block) {
        arrived.set(block, 1);
        synchronized (changed) {
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

    /// Throws what failed the load, if anything did.
    public void requireSuccess() {
        RuntimeException why = failure;
        if (why != null) {
            throw why;
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

    /// Waits for the blocks `[first, last]`. An interrupt does not end the wait; it is kept for the caller.
    ///
    /// @throws RuntimeException what failed the load, if these blocks will not come
    public void await(int first, int last) {
        if (!awaitEnd(first, last)) {
            requireSuccess();
        }
    }

    /// Waits until the blocks `[first, last]` are there or the load has failed.
    ///
    /// @return whether they are there
    public boolean awaitEnd(int first, int last) {
        if (isThere(first, last)) {
            return true;
        }
        synchronized (changed) {
            waiting++;
            Uninterruptibly.await(changed, () -> isThere(first, last) || failure != null);
            waiting--;
        }
        return isThere(first, last);
    }
}
