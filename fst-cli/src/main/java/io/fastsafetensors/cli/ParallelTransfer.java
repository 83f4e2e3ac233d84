package io.fastsafetensors.cli;

import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.LongSupplier;

/// Times several threads that transfer bytes at the same time.
final class ParallelTransfer {
    private ParallelTransfer() {
    }

    /// Runs each task on a thread of its own, a single one on the caller's.
    ///
    /// @param tasks each says how many bytes it has transferred
    /// @return GB/s of all together
    static double rate(List<LongSupplier> tasks) {
        if (tasks.size() == 1) {
            long start = System.nanoTime();
            return rate(tasks.getFirst().getAsLong(), start);
        }
        List<Callable<Long>> calls = tasks.stream().map(task -> (Callable<Long>) task::getAsLong).toList();
        try (ExecutorService pool = Executors.newFixedThreadPool(tasks.size())) {
            long start = System.nanoTime();
            long sum = 0;
            for (Future<Long> task : pool.invokeAll(calls)) {
                sum += task.get();
            }
            return rate(sum, start);
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

    private static double rate(long bytes, long start) {
        return bytes / 1e9 / ((System.nanoTime() - start) / 1e9);
    }
}
