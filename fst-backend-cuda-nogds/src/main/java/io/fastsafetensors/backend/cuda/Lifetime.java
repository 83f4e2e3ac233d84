package io.fastsafetensors.backend.cuda;

import java.util.Set;

/// Whether something that the backend gave out is still open: what buffers, staging memory, streams and registrations
/// have in common. Thread-safe; closes once.
final class Lifetime {
    private final String what;
    private final Set<Lifetime> open;
    private final Runnable release;
    private volatile boolean closed;

    /// @param what the object as messages call it
    /// @param open the backend's open objects, which this joins and leaves
    /// @param release gives the object back; what it throws is passed on, and the object is closed nevertheless, unless
    ///        it is [StillInUseException]
    Lifetime(String what, Set<Lifetime> open, Runnable release) {
        this.what = what;
        this.open = open;
        this.release = release;
        open.add(this);
    }

    /// @throws IllegalStateException once closed
    void requireOpen() {
        if (closed) {
            throw new IllegalStateException(what + " is closed");
        }
    }

    /// Gives the object back; a second call does nothing. Returns when it is given back, also by another thread.
    synchronized void close() {
        if (closed) {
            return;
        }
        closed = true;
        try {
            release.run();
        } catch (StillInUseException e) {
            closed = false;
            throw e;
        } finally {
            if (closed) {
                open.remove(this);
            }
        }
    }
}
