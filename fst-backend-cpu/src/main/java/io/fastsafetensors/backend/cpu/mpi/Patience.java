package io.fastsafetensors.backend.cpu.mpi;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/// Degrees of patience in polling. The library moves data only inside its calls, so that a pause costs bandwidth; ranks
/// that come late should not cost a core.
enum Patience {
    /// For ranks that may be late.
    CONTROL(TimeUnit.MICROSECONDS.toNanos(20), TimeUnit.MILLISECONDS.toNanos(1)),
    /// For data whose ranks are all here.
    DATA(TimeUnit.MICROSECONDS.toNanos(20), TimeUnit.SECONDS.toNanos(1));

    private static final long LONGEST_PAUSE = TimeUnit.MILLISECONDS.toNanos(1);
    private static final int SHARE = 20;

    private final long spin;
    private final long share;

    Patience(long spin, long share) {
        this.spin = spin;
        this.share = share;
    }

    /// Lets others run for about a twentieth of the time waited so far, at most a millisecond.
    @SuppressWarnings("ThreadPriorityCheck") // On a machine with more ranks than cores another rank gets the core.
    void pause(long waitedNanos) {
        if (waitedNanos < spin) {
            Thread.onSpinWait();
        } else if (waitedNanos < share) {
            Thread.yield();
        } else {
            LockSupport.parkNanos(Math.min(LONGEST_PAUSE, waitedNanos / SHARE));
        }
    }
}
