package io.fastsafetensors.cli;

import java.io.Serial;
import org.jspecify.annotations.Nullable;

/// The machine says no, in the command's own words.
final class CommandException extends RuntimeException {
    @Serial
    private static final long serialVersionUID = 1L;

    CommandException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
