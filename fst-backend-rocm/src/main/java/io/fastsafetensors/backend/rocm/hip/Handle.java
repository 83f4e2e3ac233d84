package io.fastsafetensors.backend.rocm.hip;

import java.lang.foreign.Arena;
import org.jspecify.annotations.Nullable;

/// Something of HIP's that is released once: by whoever was given it, or by the backend. Thread-safe.
final class Handle implements AutoCloseable {
    private final String what;
    private final Runnable release;
    private final @Nullable Arena arena;
    private final Handles open;
    private volatile boolean closed;

    /// @param what as messages call it
    /// @param arena what segments of it belong to, closed before it is released
    /// @param release gives it back to HIP
    /// @param open what it leaves when it is released
    Handle(String what, @Nullable Arena arena, Runnable release, Handles open) {
        this.what = what;
        this.arena = arena;
        this.release = release;
        this.open = open;
    }

    /// @throws IllegalStateException if it is closed
    void requireOpen() {
        if (closed) {
            throw new IllegalStateException(what + " is closed");
        }
    }

    /// Releases it, if nobody did.
    ///
    /// @throws IllegalStateException if a native call holds its segment: then nothing is released, and a later close
    ///         tries again
    @Override
    public synchronized void close() {
        if (closed) {
            return;
        }
        if (arena != null) {
            try {
                arena.close();
            } catch (IllegalStateException e) {
                if (arena.scope().isAlive()) {
                    throw new IllegalStateException(what
                            + " is in use by a native call and stays open; close it again when that has returned", e);
                }
            }
        }
        closed = true;
        open.remove(this);
        release.run();
    }
}
