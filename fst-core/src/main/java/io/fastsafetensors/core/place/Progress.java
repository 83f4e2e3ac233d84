package io.fastsafetensors.core.place;

import io.fastsafetensors.api.ProgressListener;
import io.fastsafetensors.core.plan.ReadPlan;
import java.util.concurrent.atomic.AtomicLong;

/// Counts the bytes that are in place, tells the listener, and notes when the first tensor and the last block were.
final class Progress {
    private final ReadPlan plan;
    private final Arrivals arrivals;
    private final FirstTensor firstTensor;
    private final ProgressListener listener;
    private final AtomicLong bytes = new AtomicLong();
    private final Object lock = new Object();
    private volatile long allDoneNanos;

    Progress(ReadPlan plan, ProgressListener listener) {
        this.plan = plan;
        this.arrivals = new Arrivals(plan.blocks().size(), this::arriving);
        this.firstTensor = new FirstTensor(plan, arrivals);
        this.listener = listener;
    }

    /// Which blocks are in place.
    Arrivals arrivals() {
        return arrivals;
    }

    /// Whoever sees a block sees the times too.
    private void arriving(int block) {
        firstTensor.arriving(block);
        long done = bytes.addAndGet(plan.blocks().end(block) - plan.blocks().start(block));
        if (done == plan.bytesToRead()) {
            allDoneNanos = System.nanoTime();
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
        return firstTensor.nanos();
    }

    /// `System.nanoTime()` when everything was in place, 0 before.
    long allDoneNanos() {
        return allDoneNanos;
    }
}
