package io.fastsafetensors.core.memory;

import io.fastsafetensors.api.LeakDetection;
import io.fastsafetensors.core.jfr.Recorder;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.lang.ref.Cleaner;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/// Notices what was collected without having been closed: says so, and frees it.
public final class LeakDetector {
    private static final Logger LOG = System.getLogger("io.fastsafetensors.leaks");
    private static final Cleaner CLEANER = Cleaner.create();

    private LeakDetector() {
    }

    /// Watches `owner` until the ticket is closed.
    ///
    /// @param owner what the user holds; must not be reachable from `free`
    /// @param what how to call it in the warning
    /// @param free frees what it holds; called if it is collected
    public static Ticket watch(Object owner, String what, LeakDetection level, Runnable free) {
        LeakDetection effective = override(level);
        Watch watch = new Watch(what, effective == LeakDetection.OFF,
                effective == LeakDetection.STACK ? new Throwable("opened here") : null, free);
        Cleaner.Cleanable cleanable = CLEANER.register(owner, watch);
        return () -> {
            watch.closed = true;
            cleanable.clean();
        };
    }

    private static LeakDetection override(LeakDetection level) {
        String text = System.getProperty("fst.leakDetection");
        return text == null ? level : LeakDetection.valueOf(text.toUpperCase(Locale.ROOT));
    }

    /// What an owner closes when it is closed in order.
    public interface Ticket {
        /// Ends the watch. Idempotent.
        void close();
    }

    private static final class Watch implements Runnable {
        private final String what;
        private final boolean silent;
        private final @Nullable Throwable opened;
        private final Runnable free;
        private volatile boolean closed;

        Watch(String what, boolean silent, @Nullable Throwable opened, Runnable free) {
            this.what = what;
            this.silent = silent;
            this.opened = opened;
            this.free = free;
        }

        @Override
        public void run() {
            if (closed) {
                return;
            }
            Recorder.leak(what);
            if (!silent) {
                LOG.log(Level.WARNING, what + " was never closed; its memory is freed now. Close it"
                        + (opened == null ? "; -Dfst.leakDetection=stack shows where it was opened" : ""), opened);
            }
            free.run();
        }
    }
}
