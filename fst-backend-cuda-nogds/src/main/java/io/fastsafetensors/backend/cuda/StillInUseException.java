package io.fastsafetensors.backend.cuda;

import java.io.Serial;
import org.jspecify.annotations.Nullable;

/// Memory that a native call in flight uses stays open, and so does who owns it.
final class StillInUseException extends IllegalStateException {
    @Serial
    private static final long serialVersionUID = 1L;

    /// @param what the memory
    StillInUseException(String what, @Nullable Throwable cause) {
        super(what + " is in use by a native call and stays open; close it again when that has returned", cause);
    }
}
