package io.fastsafetensors.backend.rocm.opencl;

import org.jspecify.annotations.Nullable;

/// Steps that all have to be taken, whatever some of them throw. Used by one thread.
final class Releases {
    private @Nullable RuntimeException failure;

    /// Takes a step and keeps what it throws.
    Releases run(Runnable step) {
        try {
            step.run();
        } catch (RuntimeException e) {
            add(e);
        }
        return this;
    }

    /// Throws the first failure with the others suppressed, if there was one.
    void finish() {
        if (failure != null) {
            throw failure;
        }
    }

    /// The cause of the clean-up, with what the clean-up threw suppressed.
    RuntimeException because(RuntimeException cause) {
        if (failure != null) {
            cause.addSuppressed(failure);
        }
        return cause;
    }

    private void add(RuntimeException e) {
        if (failure == null) {
            failure = e;
        } else {
            failure.addSuppressed(e);
        }
    }
}
