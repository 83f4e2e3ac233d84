package io.fastsafetensors.core.transfer;

import io.fastsafetensors.api.ProgressListener;
import io.fastsafetensors.core.plan.PlannedTensors;
import io.fastsafetensors.core.plan.ReadPlan;
import java.util.concurrent.atomic.AtomicLong;

/// Counts the bytes that are in place, tells the listener, and notes when the first tensor and the last block were.
final class Progress {
    private final ReadPlan plan;
    private final BlockCompletion arrivals;
    private final ProgressListener listener;
    private final AtomicLong bytes = new AtomicLong();
    private final Object lock = new Object();
    private volatile long firstTensorNanos;
    private volatile long allDoneNanos;

    Progress(ReadPlan plan, ProgressListener listener) {
        this.plan = plan;
        this.arrivals = new BlockCompletion(plan.blocks().size(), this::arriving);
        this.listener = listener;
    }

    /// Which blocks are in place.
    BlockCompletion arrivals() {
        return arrivals;
    }

    /// Runs before the block counts as arrived, so that a thread that sees the block sees the times too.
    private void arriving(int block) {
        noteFirstTensor(block);
        long done = bytes.addAndGet(plan.blocks().end(block) - plan.blocks().start(block));
        if (done == plan.bytesToRead()) {
            allDoneNanos = System.nanoTime();
        }
    }

    /// Looks only at tensors that the block carries, and at none once one was complete. The block is not among the
    /// arrivals yet, and no other comes meanwhile.
    private void noteFirstTensor(int block) {
        if (firstTensorNanos != 0) {
            return;
        }
        PlannedTensors tensors = plan.planned().get(plan.blocks().file(block)).tensors();
        for (int t = 0; t < tensors.size(); t++) {
            if (tensors.firstBlock(t) > block) {
                return;
            }
            if (tensors.lastBlock(t) >= block && arrivals.isThere(tensors.firstBlock(t), block - 1)
                    && arrivals.isThere(block + 1, tensors.lastBlock(t))) {
                firstTensorNanos = System.nanoTime();
                return;
            }
        }
    }

    /// A block is in place.
    void arrived(int block) {
        arrivals.arrive(block);
        if (!listener.equals(ProgressListener.NONE)) {
            synchronized (lock) {
                listener.progress(bytes.get(), plan.bytesToRead());
            }
        }
    }

    /// Nothing more arrives.
    void ended() {
        if (allDoneNanos == 0 && arrivals.failure() == null) {
            allDoneNanos = System.nanoTime();
        }
    }

    /// `System.nanoTime()` when the first tensor was complete, 0 before.
    long firstTensorNanos() {
        return firstTensorNanos;
    }

    /// `System.nanoTime()` when everything was in place, 0 before.
    long allDoneNanos() {
        return allDoneNanos;
    }
}
