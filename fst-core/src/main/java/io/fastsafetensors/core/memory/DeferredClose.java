package io.fastsafetensors.core.memory;

import io.fastsafetensors.spi.Releases;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/// Closes what cannot be closed yet because native code holds a segment of it: an arena refuses to close during a
/// downcall that was given one of its segments. Then a thread, alive only as long as there is something to do, tries
/// again until it succeeds, ever less often.
///
/// A refusal cannot be told from a closed arena by its type, so only what is certainly open is closed here, and once.
final class DeferredClose {
    private static final Logger LOG = System.getLogger("io.fastsafetensors.core");
    private static final long FIRST_RETRY_NANOS = TimeUnit.MILLISECONDS.toNanos(2);
    private static final long LAST_RETRY_NANOS = TimeUnit.SECONDS.toNanos(1);
    /// What refused so far. Guards itself, the pause and the thread.
    private static final Queue<Closing> PENDING = new ArrayDeque<>();
    /// The pause before the next try; short again whenever something is added.
    private static long retryNanos = FIRST_RETRY_NANOS;
    /// Null when nothing is pending: an idle process has no thread for this.
    private static @Nullable Thread running;

    /// `close` is tried again only where it threw [IllegalStateException]; anything else counts as closed, and `then`
    /// follows.
    ///
    /// @param close refuses with [IllegalStateException]
    /// @param then what follows when it did not refuse, whatever else it threw
    private record Closing(Runnable close, Runnable then) {
        /// @return false if it refused
        boolean tryNow() {
            Releases releases = new Releases();
            try {
                close.run();
            } catch (IllegalStateException busy) {
                return false;
            } catch (RuntimeException | Error e) {
                releases.run(() -> {
                    throw e;
                });
            }
            releases.run(then).finish();
            return true;
        }
    }

    private DeferredClose() {
    }

    /// Runs `close`, now or when it stops refusing, and then `then`. What they throw is thrown here if it is now, and logged
    /// if it is later.
    static void close(Runnable close, Runnable then) {
        Closing closing = new Closing(close, then);
        if (closing.tryNow()) {
            return;
        }
        LOG.log(Level.DEBUG, "memory is in use by native code; it is freed when the call returns");
        synchronized (PENDING) {
            PENDING.add(closing);
            retryNanos = FIRST_RETRY_NANOS;
            if (running == null) {
                running = Thread.ofPlatform().daemon().name("fst-deferred-close").start(DeferredClose::work);
            } else {
                LockSupport.unpark(running);
            }
        }
    }

    /// On the thread of its own, which ends when nothing is pending. The pause doubles from 2 ms to 1 s, since a
    /// native call may last for hours.
    private static void work() {
        while (true) {
            Closing[] all;
            long pause;
            synchronized (PENDING) {
                if (PENDING.isEmpty()) {
                    running = null;
                    return;
                }
                all = PENDING.toArray(Closing[]::new);
                pause = retryNanos;
                retryNanos = Math.min(LAST_RETRY_NANOS, 2 * retryNanos);
            }
            LockSupport.parkNanos(pause);
            for (Closing closing : all) {
                if (attempt(closing)) {
                    synchronized (PENDING) {
                        PENDING.remove(closing);
                    }
                }
            }
        }
    }

    /// @return whether it is over: what fails in another way is not tried again
    private static boolean attempt(Closing closing) {
        try {
            return closing.tryNow();
        } catch (RuntimeException | Error e) {
            LOG.log(Level.WARNING, "memory could not be freed", e);
            return true;
        }
    }
}
