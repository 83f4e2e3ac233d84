package io.fastsafetensors.core.transfer;

import io.fastsafetensors.api.ProgressListener;
import io.fastsafetensors.core.memory.Waits;
import io.fastsafetensors.core.plan.PlannedTensors;
import io.fastsafetensors.core.plan.ReadPlan;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.jspecify.annotations.Nullable;

/// Tracks the blocks of a plan that have arrived: lets threads wait for them, counts their bytes, tells a listener, and
/// notes when the first tensor and the last block were complete. Readers report, any thread waits.
///
/// Everything that is noted of a block is written before the block can be seen, so a thread that sees its last block
/// sees the times and the bytes too. A block that has arrived stays, even if the load fails later.
///
/// Two locks, never nested: [#changed] guards what is noted of blocks and is what waiters wait on; [#telling] keeps
/// reports to the listener in order. Whether a block has arrived is read without a lock, so that `get` of a tensor
/// that is complete costs a look at each of its blocks.
public final class BlockCompletion {
    private final ReadPlan plan;
    private final ProgressListener listener;
    /// 1 for each block that is in place. Written under [#changed], after the time and the bytes of the block; read
    /// without it.
    private final AtomicIntegerArray arrived;
    private final Object changed = new Object();
    /// Keeps the calls of the listener apart, and in the order of the bytes. Not the monitor that others wait for: what a
    /// listener does may take as long as it likes.
    private final Object telling = new Object();
    /// How many threads wait. While it is 0 nobody is notified: most loads have one waiter or none, and thousands of
    /// blocks. Guarded by [#changed].
    private int waiting;
    /// Bytes of the blocks that have arrived. Written under [#changed] only, so that adding to it is no race.
    private volatile long bytes;
    private volatile long firstTensorNanos;
    private volatile long allDoneNanos;
    private volatile @Nullable RuntimeException failure;
    /// Whether some caller got the failure. What cannot be released later is then not thrown once more by a close.
    private volatile boolean told;

    /// No block of the plan has arrived.
    ///
    /// @param listener told after each block, on the thread that reports it
    public BlockCompletion(ReadPlan plan, ProgressListener listener) {
        this.plan = plan;
        this.listener = listener;
        this.arrived = new AtomicIntegerArray(plan.blocks().size());
    }

    /// A block is in place.
    ///
    /// Called once for each block. The listener is called after the block counts, on this thread and without
    /// [#changed]: it may take long, or ask for tensors that are complete. Two reports may tell the same number,
    /// where two blocks arrived between them; a later one never tells less.
    public void arrive(int block) {
        synchronized (changed) {
            noteFirstTensor(block);
            long done = bytes + plan.blocks().end(block) - plan.blocks().start(block);
            bytes = done;
            if (done == plan.bytesToRead()) {
                allDoneNanos = System.nanoTime();
            }
            arrived.set(block, 1);
            if (waiting > 0) {
                changed.notifyAll();
            }
        }
        if (!listener.equals(ProgressListener.NONE)) {
            synchronized (telling) {
                listener.progress(bytes, plan.bytesToRead());
            }
        }
    }

    /// Looks only at tensors that the block carries, and at none once one was complete. The block is not among the
    /// arrived ones yet, and no other comes meanwhile.
    private void noteFirstTensor(int block) {
        if (firstTensorNanos != 0) {
            return;
        }
        PlannedTensors tensors = plan.planned().get(plan.blocks().file(block)).tensors();
        for (int t = 0; t < tensors.size(); t++) {
            if (tensors.firstBlock(t) > block) {
                return;
            }
            if (tensors.lastBlock(t) >= block && isThere(tensors.firstBlock(t), block - 1)
                    && isThere(block + 1, tensors.lastBlock(t))) {
                firstTensorNanos = System.nanoTime();
                return;
            }
        }
    }

    /// Nothing more arrives. A plan without a byte to read is complete now.
    void end() {
        if (allDoneNanos == 0 && failure == null) {
            allDoneNanos = System.nanoTime();
        }
    }

    /// `System.nanoTime()` when the first tensor was complete, 0 before.
    public long firstTensorNanos() {
        return firstTensorNanos;
    }

    /// `System.nanoTime()` when everything was in place, 0 before.
    public long allDoneNanos() {
        return allDoneNanos;
    }

    /// Ends the waiting of everybody whose blocks are not there. The first failure stays.
    ///
    /// Blocks that have arrived stay usable, and blocks under way may still arrive afterwards.
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
    ///
    /// The load counts as told from then on.
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
    /// Returns as soon as these blocks are there, whatever became of the rest of the load. Not to be called on a
    /// reader's thread, which would wait for itself; see [ReaderThreads#requireMayWait(String)].
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

    /// What is there counts although the load has failed.
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
