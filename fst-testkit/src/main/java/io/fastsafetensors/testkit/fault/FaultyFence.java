package io.fastsafetensors.testkit.fault;

import io.fastsafetensors.spi.Fence;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;

/// A fence over a place in a [WorkQueue].
final class FaultyFence implements Fence {
    private final WorkQueue queue;
    private final CompletableFuture<Void> work;
    private final String backend;
    private final FaultPlan plan;
    private final Runnable closed;
    private final AtomicBoolean isClosed = new AtomicBoolean();

    FaultyFence(WorkQueue queue, CompletableFuture<Void> work, String backend, FaultPlan plan, Runnable closed) {
        this.queue = queue;
        this.work = work;
        this.backend = backend;
        this.plan = plan;
        this.closed = closed;
    }

    /// Waits for the work before the fence, for another stream.
    void awaitWork() {
        queue.await(work);
    }

    @Override
    public boolean isPassed() {
        requireOpen();
        plan.before(Operation.IS_PASSED, backend, 0);
        if (work.isDone()) {
            queue.await(work);
            return true;
        }
        return false;
    }

    @Override
    public void await() {
        requireOpen();
        plan.before(Operation.AWAIT, backend, 0);
        queue.await(work);
    }

    @Override
    public void close() {
        isClosed.set(true);
        closed.run();
    }

    private void requireOpen() {
        if (isClosed.get()) {
            throw new IllegalStateException("the fence is closed");
        }
    }
}
