package io.fastsafetensors.spi.base;

import java.io.Serial;
import org.jspecify.annotations.Nullable;

/// Thrown when something cannot be closed yet, because a native call in flight uses its memory. It stays open; a later
/// close tries again.
public final class StillInUseException extends IllegalStateException {
    @Serial
    private static final long serialVersionUID = 1L;

    /// @param what the memory, or its owner, as messages call it
    /// @param cause what was found in use, if it was an exception that told
    public StillInUseException(String what, @Nullable Throwable cause) {
        super(what + " is in use by a native call and stays open; close it again when that has returned", cause);
    }
}
