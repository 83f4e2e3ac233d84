package io.fastsafetensors.core.memory;

import java.util.function.BooleanSupplier;

/// Waiting that an interrupt does not end; the caller's interrupt status is kept for later.
public final class Uninterruptibly {
    /// Something to wait for.
    public interface Waiting {
        /// Waits.
        void await() throws InterruptedException;
    }

    private Uninterruptibly() {
    }

    /// Waits on a monitor, which the caller holds, until `over`.
    public static void await(Object monitor, BooleanSupplier over) {
        boolean interrupted = false;
        while (!over.getAsBoolean()) {
            try {
                monitor.wait();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /// Waits on a monitor, which the caller holds, until `over`, but no longer than so many milliseconds.
    public static void await(Object monitor, BooleanSupplier over, long millis) {
        long end = System.nanoTime() + millis * 1_000_000;
        boolean interrupted = false;
        for (long left = millis; left > 0 && !over.getAsBoolean(); left = (end - System.nanoTime()) / 1_000_000) {
            try {
                monitor.wait(left);
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /// Waits until it is over.
    public static void run(Waiting waiting) {
        boolean interrupted = false;
        while (true) {
            try {
                waiting.await();
                break;
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
