package io.fastsafetensors.error;

import java.io.Serial;
import org.jspecify.annotations.Nullable;

/// Storage failed: a read error with its errno, a file that shrank under the read, a file that is not there.
public final class StorageException extends FstException {
    @Serial
    private static final long serialVersionUID = 1L;

    /// @param detail what happened and what to do about it
    /// @param where the place
    public StorageException(String detail, Where where) {
        this(detail, where, null);
    }

    /// As above, with the cause.
    public StorageException(String detail, Where where, @Nullable Throwable cause) {
        super(detail, where, cause);
    }

    private StorageException(StorageException original) {
        super(original);
    }

    @Override
    public StorageException copy() {
        return new StorageException(this);
    }
}
