package io.fastsafetensors.core.transfer;

import io.fastsafetensors.core.memory.Waits;
import io.fastsafetensors.spi.Releases;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;

/// The moment from which nothing of a load touches memory or files any more: who waits for it, what runs then, and who
/// is told what could not be released until then.
///
/// Its monitor guards what is here, and is not held while what others asked for runs.
public final class LoadEnd {
    private final BlockCompletion arrivals;
    private final CountDownLatch reached = new CountDownLatch(1);
    private final List<Runnable> afterwards = new ArrayList<>();
    /// As [#reached], for those who hold the monitor: [#afterwards] takes nothing more.
    private boolean over;
    /// What could not be released and nobody was told yet.
    private Releases unreleased = new Releases();
    /// The first reason that the load was cancelled for: not a failure of its own, so it hides none.
    private @Nullable RuntimeException cancellation;

    /// @param arrivals knows what failed the load, and whether somebody was told
    LoadEnd(BlockCompletion arrivals) {
        this.arrivals = arrivals;
    }

    /// Notes that the load is cancelled.
    ///
    /// @return the reason that counts: the first
    synchronized RuntimeException cancelledFor(RuntimeException why) {
        if (cancellation == null) {
            cancellation = why;
        }
        return cancellation;
    }

    /// Keeps what a release threw for who is told of it: the load's failure takes it along, or [#requireReleased] throws
    /// it where the load has no other.
    ///
    /// @param first whether it became the load's failure itself
    void unreleased(RuntimeException why, boolean first) {
        RuntimeException known = arrivals.failure();
        if (first || isCancellation(known)) {
            synchronized (this) {
                unreleased.run(() -> {
                    throw why;
                });
            }
        } else if (known != null && !known.equals(why)) {
            known.addSuppressed(why);
        }
    }

    /// A cancellation is why nobody gets tensors any more, and no failure: it is not what a close throws.
    private synchronized boolean isCancellation(@Nullable RuntimeException why) {
        return why != null && why.equals(cancellation);
    }

    /// Wakes who waits, then runs what others asked for, on this thread. Called once.
    void reach() {
        List<Runnable> next;
        synchronized (this) {
            next = List.copyOf(afterwards);
            afterwards.clear();
            over = true;
        }
        reached.countDown();
        for (Runnable each : next) {
            each.run();
        }
    }

    /// Whether no reader touches memory or files any more.
    public boolean isReached() {
        return reached.getCount() == 0;
    }

    /// Does something when no reader touches memory or files any more: now, or on the last reader's thread.
    ///
    /// @param work throws nothing
    public void then(Runnable work) {
        synchronized (this) {
            if (!over) {
                afterwards.add(work);
                return;
            }
        }
        work.run();
    }

    /// Waits until no reader touches memory or files any more, on a thread of the project's own.
    public void await() {
        Waits.uninterruptibly(reached::await);
    }

    /// As [#await()], on a user's thread.
    ///
    /// @throws io.fastsafetensors.error.LoadInterruptedException if it is interrupted
    public void awaitInterruptibly() {
        Waits.interruptibly(reached::await, "the end of the load");
    }

    /// As [#await()], for as long as a close waits.
    ///
    /// @return whether it was reached
    public boolean awaitToClose() {
        return Waits.toClose(reached);
    }

    /// Throws once what could not be released, unless it was told already.
    ///
    /// A failed load has told its failure by then, with what could not be released suppressed in it.
    public void requireReleased() {
        Releases late;
        synchronized (this) {
            late = unreleased;
            unreleased = new Releases();
        }
        if (isCancellation(arrivals.failure()) || !arrivals.isTold()) {
            late.finish();
        }
    }
}
