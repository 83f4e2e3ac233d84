package io.fastsafetensors.testkit.fault;

import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.Where;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicInteger;

/// Work in order: done at once by the caller, or by a thread of its own. After a failure the work that follows is
/// dropped and fails alike, as on a device.
final class WorkQueue implements AutoCloseable {
    private static final AtomicInteger NUMBER = new AtomicInteger();

    private record Job(Runnable work, CompletableFuture<Void> done, boolean last) {
    }

    private final String backend;
    private final boolean deferred;
    private final LinkedBlockingQueue<Job> jobs = new LinkedBlockingQueue<>();
    private final Thread worker;
    private CompletableFuture<Void> last = CompletableFuture.completedFuture(null);
    private boolean closed;

    /// @param backend whose work it is
    WorkQueue(String backend, boolean deferred) {
        this.backend = backend;
        this.deferred = deferred;
        this.worker = Thread.ofPlatform().daemon().name("fst-fault-stream-" + NUMBER.incrementAndGet())
                .unstarted(this::work);
        if (deferred) {
            worker.start();
        }
    }

    /// Submits work whose end nobody asks for; a failure shows in what is submitted after it.
    void submit(Runnable work) {
        CompletableFuture<Void> _ = mark(work);
    }

    /// Submits work. What it throws is thrown here if it is done at once, and at [#await] if it is deferred.
    CompletableFuture<Void> mark(Runnable work) {
        if (closed) {
            throw new IllegalStateException("the copy stream is closed");
        }
        if (!deferred) {
            work.run();
            return last;
        }
        CompletableFuture<Void> before = last;
        CompletableFuture<Void> done = new CompletableFuture<>();
        jobs.add(new Job(() -> {
            before.join();
            work.run();
        }, done, false));
        last = done;
        return done;
    }

    /// Waits for submitted work and throws what it threw.
    void await(CompletableFuture<Void> work) {
        try {
            work.join();
        } catch (CompletionException e) {
            if (e.getCause() instanceof RuntimeException cause) {
                throw cause;
            }
            throw e;
        }
    }

    private void work() {
        try {
            for (Job job = jobs.take(); !job.last; job = jobs.take()) {
                try {
                    job.work.run();
                    job.done.complete(null);
                } catch (CompletionException e) {
                    job.done.completeExceptionally(e.getCause() == null ? e : e.getCause());
                } catch (RuntimeException e) {
                    job.done.completeExceptionally(e);
                } catch (Error e) {
                    // A copy out of a mapping of a file that shrank is one; a device would report a failed copy.
                    job.done.completeExceptionally(
                            new BackendException("the work failed: " + e, Where.backend(backend), e));
                }
            }
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }

    /// Finishes submitted work, whatever comes of it, and ends the thread. Idempotent.
    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        if (!deferred) {
            return;
        }
        jobs.add(new Job(() -> {
        }, new CompletableFuture<>(), true));
        boolean interrupted = false;
        while (worker.isAlive()) {
            try {
                worker.join();
            } catch (InterruptedException _) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
