package io.fastsafetensors.error;

import java.io.Serial;

/// The calling thread was interrupted while it waited. Its interrupt status is set, and what it waited for goes on: the
/// same call may be made again, once the status is cleared.
public final class LoadInterruptedException extends FstException {
    @Serial
    private static final long serialVersionUID = 1L;

    /// @param what what the thread waited for
    /// @param where the file or tensor
    public LoadInterruptedException(String what, Where where) {
        super("interrupted while waiting for " + what + "; it goes on, and may be asked for again", where, null);
    }

    private LoadInterruptedException(LoadInterruptedException original) {
        super(original);
    }

    @Override
    public LoadInterruptedException copy() {
        return new LoadInterruptedException(this);
    }
}
