package io.fastsafetensors.core.transfer;

import io.fastsafetensors.error.FstException;

/// Failures that reach several threads.
///
/// One exception object thrown on two threads would have the stack of neither, and what one of them adds as suppressed
/// would be seen by the other.
public final class Failures {
    private Failures() {
    }

    /// What one of the callers that a failure reaches throws: an exception of its own, of the same type and with the same
    /// words, with the failure as its cause.
    ///
    /// Suppressed exceptions stay with the cause.
    ///
    /// @param failure of the project's family, or what a listener or a backend threw: of the JDK's common types the same
    ///        type again, of others an [IllegalStateException] that names it
    public static RuntimeException copy(RuntimeException failure) {
        if (failure instanceof FstException known) {
            return known.copy();
        }
        String words = failure.getMessage();
        Class<?> type = failure.getClass();
        if (type.equals(IllegalArgumentException.class)) {
            return new IllegalArgumentException(words, failure);
        }
        if (type.equals(UnsupportedOperationException.class)) {
            return new UnsupportedOperationException(words, failure);
        }
        return type.equals(IllegalStateException.class) ? new IllegalStateException(words, failure)
                : new IllegalStateException(failure.toString(), failure);
    }
}
