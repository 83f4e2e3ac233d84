package io.fastsafetensors.cli;

import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/// Times several threads that transfer bytes at the same time.
final class ParallelTransfer {
    private ParallelTransfer() {
    }

    /// Runs each task on a thread of its own.
    ///
    /// @param tasks each says how many bytes it has transferred
    /// @return GB/s of all together
    static double rate(List<Callable<Long>> tasks) {
        try (ExecutorService pool = Executors.newFixedThreadPool(tasks.size())) {
            long start = System.nanoTime();
            long sum = 0;
            for (Future<Long> task : pool.invokeAll(tasks)) {
                sum += task.get();
            }
            return sum / 1e9 / ((System.nanoTime() - start) / 1e9);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CommandException("interrupted while measuring", e);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof RuntimeException failure) {
                throw failure;
            }
            throw new CommandException("a transfer failed: " + e.getCause(), e);
        }
    }
}
