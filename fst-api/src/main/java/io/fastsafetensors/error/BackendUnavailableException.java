package io.fastsafetensors.error;

import java.io.Serial;
import java.util.List;

/// No backend on the path can serve the device that was asked for; the message lists each and why it lost.
public final class BackendUnavailableException extends FstException {
    @Serial
    private static final long serialVersionUID = 1L;

    /// @param wanted the device or backend asked for
    /// @param reasons one line per backend: its name and why it cannot serve
    public BackendUnavailableException(String wanted, List<String> reasons) {
        this(wanted, reasons, "");
    }

    /// @param wanted the device or backend asked for
    /// @param reasons one line per backend: its name and why it cannot serve
    /// @param wayOut what to add or to change, a clause for people; may be empty
    public BackendUnavailableException(String wanted, List<String> reasons, String wayOut) {
        super("no backend for " + wanted + "; "
                + (reasons.isEmpty() ? "none is on the class path or module path" : String.join("; ", reasons))
                + (wayOut.isEmpty() ? "" : "; " + wayOut), Where.nowhere(), null);
    }

    private BackendUnavailableException(BackendUnavailableException original) {
        super(original);
    }

    @Override
    public BackendUnavailableException copy() {
        return new BackendUnavailableException(this);
    }
}
