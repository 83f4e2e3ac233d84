package io.fastsafetensors.core.memory;

import io.fastsafetensors.error.LoadInterruptedException;
import io.fastsafetensors.error.Where;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/// The ways to wait. A user's thread that waits for bytes can be interrupted; one that closes waits for so long and no
/// longer; the project's own threads, which nobody else interrupts, wait until it is over.
///
/// Where a thread of core waits for another one, it is said here what an interrupt does to it; fences and streams wait in
/// their driver. Conditions are looked at again after each wake-up.
public final class Waits {
    /// How long a close waits for reads in flight: much longer than a disk takes, not for ever where a file system is gone.
    private static final long CLOSE_NANOS = TimeUnit.SECONDS.toNanos(60);
    /// How long the close of an interrupted thread waits.
    private static final long INTERRUPTED_CLOSE_NANOS = TimeUnit.SECONDS.toNanos(1);

    /// Something to wait for.
    public interface Waiting {
        /// Waits.
        void await() throws InterruptedException;
    }

    private Waits() {
    }

    /// Waits on a monitor, which the caller holds, until `over`.
    ///
    /// @param what what is waited for, for the message
    /// @throws LoadInterruptedException if the thread is interrupted, its status being kept
    public static void interruptibly(Object monitor, BooleanSupplier over, String what) {
        while (!over.getAsBoolean()) {
            try {
                monitor.wait();
            } catch (InterruptedException e) {
                throw interrupted(what);
            }
        }
    }

    /// Waits until it is over.
    ///
    /// @param what what is waited for, for the message
    /// @throws LoadInterruptedException if the thread is interrupted, its status being kept
    public static void interruptibly(Waiting waiting, String what) {
        try {
            waiting.await();
        } catch (InterruptedException e) {
            throw interrupted(what);
        }
    }

    /// The status is set again, so that the code that catches the exception can still see it.
    private static LoadInterruptedException interrupted(String what) {
        Thread.currentThread().interrupt();
        return new LoadInterruptedException(what, Where.nowhere());
    }

    /// Waits on a monitor, which the caller holds, until `over`. An interrupt does not end the wait; its status is kept.
    public static void uninterruptibly(Object monitor, BooleanSupplier over) {
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

    /// As [#uninterruptibly(Object, BooleanSupplier)], but no longer than so many milliseconds.
    ///
    /// Who needs to know whether it is over looks itself.
    public static void uninterruptibly(Object monitor, BooleanSupplier over, long millis) {
        long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(millis);
        boolean interrupted = false;
        for (long left = millis; left > 0 && !over.getAsBoolean();
                left = TimeUnit.NANOSECONDS.toMillis(end - System.nanoTime())) {
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

    /// Waits until it is over. An interrupt does not end the wait; its status is kept.
    public static void uninterruptibly(Waiting waiting) {
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

    /// Waits as a close does: a minute at most, a second once the thread is interrupted, its status being kept.
    ///
    /// @return whether it is over
    public static boolean toClose(CountDownLatch latch) {
        boolean interrupted = Thread.interrupted();
        long end = System.nanoTime() + (interrupted ? INTERRUPTED_CLOSE_NANOS : CLOSE_NANOS);
        try {
            while (true) {
                try {
                    return latch.await(end - System.nanoTime(), TimeUnit.NANOSECONDS);
                } catch (InterruptedException e) {
                    interrupted = true;
                    end = Math.min(end, System.nanoTime() + INTERRUPTED_CLOSE_NANOS);
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
