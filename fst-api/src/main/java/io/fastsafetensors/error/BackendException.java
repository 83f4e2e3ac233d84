package io.fastsafetensors.error;

import java.io.Serial;
import org.jspecify.annotations.Nullable;

/// A device or its library said no: which library, which call, which status, in its own words.
///
/// Backends turn every native status into this class in one place. `where().backend()` names the backend.
public non-sealed class BackendException extends FstException {
    @Serial
    private static final long serialVersionUID = 1L;

    /// @param detail the library, the call, the status and its text, and what to do
    /// @param where the backend, and the file or tensor where known
    public BackendException(String detail, Where where) {
        this(detail, where, null);
    }

    /// As above, with the cause.
    public BackendException(String detail, Where where, @Nullable Throwable cause) {
        super(detail, where, cause);
    }

    /// A failed native call: `library: call failed with status (text)`.
    ///
    /// @param library the library's name, such as `libcuda`
    /// @param call the C function
    /// @param status the status it returned
    /// @param text the status in words, with the way out where there is one
    public static BackendException ofStatus(String backend, String library, String call, long status, String text) {
        return new BackendException(library + ": " + call + " failed with " + status + " (" + text + ")",
                Where.backend(backend));
    }

    /// A copy, with the original as its cause.
    BackendException(BackendException original) {
        super(original);
    }

    @Override
    public BackendException copy() {
        return new BackendException(this);
    }
}
