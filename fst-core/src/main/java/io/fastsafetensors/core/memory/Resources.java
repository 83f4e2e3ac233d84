package io.fastsafetensors.core.memory;

import io.fastsafetensors.spi.Releases;
import java.util.ArrayDeque;

/// A set of acquired resources: released once, the last first, all of them whatever a release throws.
///
/// An operation that acquires several things adds each as soon as it has it, inside a `try` with the resources; when
/// nothing can fail any more it hands them over to their next owner. Thread-safe.
public final class Resources implements AutoCloseable {
    private final ArrayDeque<Runnable> releases = new ArrayDeque<>();

    /// None yet.
    public Resources() {
    }

    /// One more.
    ///
    /// @param release releases it
    public synchronized void add(Runnable release) {
        releases.push(release);
    }

    /// Hands everything over.
    ///
    /// @return what was here; nothing is left to release here
    public synchronized Resources handOver() {
        Resources handed = new Resources();
        handed.releases.addAll(releases);
        releases.clear();
        return handed;
    }

    /// Releases everything. Idempotent: a second close releases nothing, and a failure is thrown once.
    @Override
    public void close() {
        ArrayDeque<Runnable> all;
        synchronized (this) {
            all = new ArrayDeque<>(releases);
            releases.clear();
        }
        Releases done = new Releases();
        all.forEach(done::run);
        done.finish();
    }
}
