package io.fastsafetensors.spi;

import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// Steps that are all taken whatever some of them throw, as closing a backend takes them: what cannot be released keeps
/// nothing else from it. For one thread.
public final class Releases {
    private @Nullable RuntimeException first;

    /// None yet.
    public Releases() {
    }

    /// Takes a step now, and keeps what it throws.
    ///
    /// @return this
    public Releases run(Runnable step) {
        try {
            step.run();
        } catch (RuntimeException e) {
            if (first == null) {
                first = e;
            } else {
                first.addSuppressed(e);
            }
        }
        return this;
    }

    /// The first failure, with the others suppressed in it.
    public Optional<RuntimeException> failure() {
        return Optional.ofNullable(first);
    }

    /// Throws the first failure, with the others suppressed in it, if there was one.
    public void finish() {
        if (first != null) {
            throw first;
        }
    }

    /// The cause of the releases, with what they threw suppressed in it.
    ///
    /// @param cause why everything is released
    /// @return `cause`
    public RuntimeException because(RuntimeException cause) {
        if (first != null) {
            cause.addSuppressed(first);
        }
        return cause;
    }
}
