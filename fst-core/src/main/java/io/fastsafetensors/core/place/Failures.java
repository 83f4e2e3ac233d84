package io.fastsafetensors.core.place;

import io.fastsafetensors.error.FstException;

/// Failures that reach several threads.
public final class Failures {
    private Failures() {
    }

    /// What one of the callers that a failure reaches throws: an exception of its own, of the same type and with the same
    /// words, with the failure as its cause.
    ///
    /// @param failure of the project's family, or an [IllegalStateException]; anything else becomes one
    public static RuntimeException copy(RuntimeException failure) {
        return switch (failure) {
            case FstException known -> known.copy();
            case IllegalStateException state -> new IllegalStateException(state.getMessage(), state);
            default -> new IllegalStateException(failure.toString(), failure);
        };
    }
}
