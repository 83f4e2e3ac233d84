package io.fastsafetensors.core.memory;

import io.fastsafetensors.api.LeakDetection;
import io.fastsafetensors.core.jfr.Recorder;
import io.fastsafetensors.error.ConfigException;
import io.fastsafetensors.error.Where;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.lang.ref.Cleaner;
import org.jspecify.annotations.Nullable;

/// Notices what was collected without having been closed: says so, and frees it.
///
/// It works by reachability: an owner that what frees it refers to is never collected, and its leak never noticed. So what
/// frees is an object apart from what the user has.
public final class LeakDetector {
    private static final Logger LOG = System.getLogger("io.fastsafetensors.leaks");
    private static final String PROPERTY = "fst.leakDetection";
    /// One thread for all: nothing that it runs may wait.
    private static final Cleaner CLEANER = Cleaner.create();

    private LeakDetector() {
    }

    /// Watches `owner` until the ticket is closed.
    ///
    /// With level `OFF` what is collected is freed too; only nothing is logged. `STACK` costs a stack trace for each
    /// owner.
    ///
    /// @param owner what the user holds; must not be reachable from `free`
    /// @param what how to call it in the warning
    /// @param level one that is in force, see [#inForce(LeakDetection)]
    /// @param free frees what it holds; called if it is collected, on the one thread that serves all: waits for nothing
    public static Ticket watch(Object owner, String what, LeakDetection level, Runnable free) {
        Watch watch = new Watch(what, level == LeakDetection.OFF,
                level == LeakDetection.STACK ? new Throwable("opened here") : null, free);
        Cleaner.Cleanable cleanable = CLEANER.register(owner, watch);
        return () -> {
            watch.closed = true;
            cleanable.clean();
        };
    }

    /// The level in force: the one of the system property `fst.leakDetection`, or else the one asked for. Found out before
    /// anything begins.
    ///
    /// @throws ConfigException if the property names no level
    public static LeakDetection inForce(LeakDetection level) {
        String text = System.getProperty(PROPERTY);
        if (text == null) {
            return level;
        }
        for (LeakDetection known : LeakDetection.values()) {
            if (known.name().equalsIgnoreCase(text)) {
                return known;
            }
        }
        throw new ConfigException("property " + PROPERTY + ": expected one of off, on, stack, found \"" + text + "\"",
                Where.nowhere());
    }

    /// The registration of an owner, closed when the owner is closed in order.
    public interface Ticket {
        /// Ends the watch. Idempotent.
        void close();
    }

    private static final class Watch implements Runnable {
        private final String what;
        private final boolean silent;
        private final @Nullable Throwable opened;
        private final Runnable free;
        /// Set before the cleanable runs, so that an orderly close, which runs it too, frees nothing a second time.
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
            try {
                free.run();
            } catch (RuntimeException | Error e) {
                LOG.log(Level.WARNING, what + " could not be freed", e);
            }
        }
    }
}
