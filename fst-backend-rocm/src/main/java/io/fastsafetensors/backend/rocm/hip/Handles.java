package io.fastsafetensors.backend.rocm.hip;

import io.fastsafetensors.spi.Releases;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/// What a backend has given out and not got back. Thread-safe.
final class Handles {
    private final Set<Handle> open = ConcurrentHashMap.newKeySet();
    private volatile boolean closed;

    /// @throws IllegalStateException if the backend is closed
    void requireOpen() {
        if (closed) {
            throw new IllegalStateException("the " + HipRuntime.BACKEND + " backend is closed");
        }
    }

    /// Adds something that exists; releases it at once if the backend was closed meanwhile.
    ///
    /// @throws IllegalStateException if the backend is closed
    Handle add(String what, @Nullable Arena arena, Runnable release) {
        Handle handle = new Handle(what, arena, release, this);
        open.add(handle);
        if (closed) {
            handle.close();
            requireOpen();
        }
        return handle;
    }

    void remove(Handle handle) {
        open.remove(handle);
    }

    /// Closes all there are, and takes no more.
    void closeAll(Releases releases) {
        closed = true;
        for (Handle handle : List.copyOf(open)) {
            releases.run(handle::close);
        }
    }
}
