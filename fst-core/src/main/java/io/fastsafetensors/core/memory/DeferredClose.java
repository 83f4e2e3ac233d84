package io.fastsafetensors.core.memory;

import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/// Closes what cannot be closed yet because native code holds a segment of it: an arena refuses to close during a
/// downcall that was given one of its segments. Then a thread, alive only as long as there is something to do, tries
/// again until it succeeds.
final class DeferredClose {
    private static final Logger LOG = System.getLogger("io.fastsafetensors.core");
    private static final long RETRY_NANOS = TimeUnit.MILLISECONDS.toNanos(2);
    private static final Queue<Closing> PENDING = new ArrayDeque<>();
    private static boolean running;

    /// @param close refuses with [IllegalStateException]
    /// @param then what follows when it did not
    private record Closing(Runnable close, Runnable then) {
        boolean tryNow() {
            try {
                close.run();
            } catch (IllegalStateException busy) {
                return false;
            }
            then.run();
            return true;
        }
    }

    private DeferredClose() {
    }

    /// Runs `close`, now or when it stops refusing, and then `then`.
    static void close(Runnable close, Runnable then) {
        Closing closing = new Closing(close, then);
        if (closing.tryNow()) {
            return;
        }
        LOG.log(Level.DEBUG, "memory is in use by native code; it is freed when the call returns");
        synchronized (PENDING) {
            PENDING.add(closing);
            if (!running) {
                running = true;
                Thread.ofPlatform().daemon().name("fst-deferred-close").start(DeferredClose::work);
            }
        }
    }

    private static void work() {
        while (true) {
            LockSupport.parkNanos(RETRY_NANOS);
            Closing[] all;
            synchronized (PENDING) {
                all = PENDING.toArray(Closing[]::new);
            }
            for (Closing closing : all) {
                if (attempt(closing)) {
                    synchronized (PENDING) {
                        PENDING.remove(closing);
                    }
                }
            }
            synchronized (PENDING) {
                if (PENDING.isEmpty()) {
                    running = false;
                    return;
                }
            }
        }
    }

    private static boolean attempt(Closing closing) {
        try {
            return closing.tryNow();
        } catch (RuntimeException e) {
            LOG.log(Level.WARNING, "memory could not be freed", e);
            return true;
        }
    }
}
