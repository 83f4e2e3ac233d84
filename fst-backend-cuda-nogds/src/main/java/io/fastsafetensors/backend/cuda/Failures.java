package io.fastsafetensors.backend.cuda;

import org.jspecify.annotations.Nullable;

/// Does every step of a release, and throws the first failure afterwards with the others suppressed in it.
final class Failures {
    private @Nullable RuntimeException first;

    /// None yet.
    Failures() {
    }

    /// One already, in which later ones are suppressed.
    Failures(RuntimeException first) {
        this.first = first;
    }

    void guard(Runnable step) {
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

    /// For an owner that must stay open, since something that it owns does.
    ///
    /// @param what the owner
    StillInUseException inUse(String what) {
        return new StillInUseException(what, first);
    }

    void throwFirst() {
        if (first != null) {
            throw first;
        }
    }
}
