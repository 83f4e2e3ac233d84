package io.fastsafetensors.bench.gpu;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;

/// Many threads over many like pieces of work.
final class Workers {
    /// Does the piece of a number.
    @FunctionalInterface
    interface Task {
        void run(long piece) throws Exception;
    }

    private Workers() {
    }

    /// As many threads as the machine has cores, at most 16.
    static int defaultThreads() {
        return Math.min(16, Runtime.getRuntime().availableProcessors());
    }

    /// Does pieces 0 to `pieces` − 1, taken in order by `threads` threads. Returns when all are done.
    ///
    /// @param task makes each thread's own task
    /// @throws IllegalStateException with the first failure
    static void run(int threads, long pieces, Supplier<Task> task) {
        AtomicLong next = new AtomicLong();
        try (ExecutorService pool =
                Executors.newFixedThreadPool(threads, Thread.ofPlatform().name("bench-", 0).factory())) {
            List<Future<?>> done = new ArrayList<>();
            for (int i = 0; i < threads; i++) {
                done.add(pool.submit(() -> {
                    Task own = task.get();
                    for (long piece = next.getAndIncrement(); piece < pieces; piece = next.getAndIncrement()) {
                        own.run(piece);
                    }
                    return null;
                }));
            }
            for (Future<?> each : done) {
                each.get();
            }
        } catch (ExecutionException e) {
            throw new IllegalStateException("a worker failed: " + e.getCause(), e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted", e);
        }
    }
}
