package io.fastsafetensors.spi;

import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// Runs every cleanup step even if some fail, as closing a backend needs it; [#finish()] throws the first failure with
/// the others suppressed. For one thread.
public final class Releases {
    private @Nullable Throwable first;

    /// No step yet.
    public Releases() {
    }

    /// Takes a step now, and keeps what it throws.
    ///
    /// @return this
    public Releases run(Runnable step) {
        attempt(step);
        return this;
    }

    /// As [#run(Runnable)].
    ///
    /// @return whether the step threw nothing
    public boolean attempt(Runnable step) {
        try {
            step.run();
            return true;
        } catch (RuntimeException | Error e) {
            if (first == null) {
                first = e;
            } else if (!e.equals(first)) {
                first.addSuppressed(e);
            }
            return false;
        }
    }

    /// The first failure, with the others suppressed in it.
    public Optional<Throwable> failure() {
        return Optional.ofNullable(first);
    }

    /// Throws the first failure, with the others suppressed in it, if there was one.
    public void finish() {
        // No switch over types: it is linked at run time, in each process's first load.
        if (first instanceof RuntimeException e) {
            throw e;
        }
        if (first instanceof Error e) {
            throw e;
        }
    }

    /// The cause of the releases, with what they threw suppressed in it.
    ///
    /// @param cause why everything is released
    /// @param <E> its type
    /// @return `cause`
    public <E extends Throwable> E because(E cause) {
        if (first != null && !first.equals(cause)) {
            cause.addSuppressed(first);
        }
        return cause;
    }
}
