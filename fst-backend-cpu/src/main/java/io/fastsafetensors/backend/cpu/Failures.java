package io.fastsafetensors.backend.cpu;

import org.jspecify.annotations.Nullable;

/// What went wrong in steps that are all taken whatever becomes of the others.
final class Failures {
    private @Nullable RuntimeException first;

    /// Takes a step.
    void collect(Runnable step) {
        try {
            step.run();
        } catch (RuntimeException e) {
            if (first == null) {
                first = e;
            } else {
                first.addSuppressed(e);
            }
        }
    }

    /// Throws the first failure, with the others suppressed.
    void rethrow() {
        if (first != null) {
            throw first;
        }
    }
}
