package io.fastsafetensors.cli;

import java.io.Serial;

/// The command line makes no sense; the message says what would.
public final class UsageException extends RuntimeException {
    @Serial
    private static final long serialVersionUID = 1L;

    /// @param message what is wrong, and what would be right
    public UsageException(String message) {
        super(message);
    }
}
