package io.fastsafetensors.backend.rocm.hip;

import org.jspecify.annotations.Nullable;

/// Releases that are all done, whatever some of them throw. For one thread.
final class Releases {
    private @Nullable RuntimeException failure;

    /// Does it now, and remembers what it throws.
    Releases then(Runnable release) {
        try {
            release.run();
        } catch (RuntimeException e) {
            if (failure == null) {
                failure = e;
            } else {
                failure.addSuppressed(e);
            }
        }
        return this;
    }

    /// Throws the first exception, if there was one, with the others suppressed in it.
    void finish() {
        if (failure != null) {
            throw failure;
        }
    }
}
