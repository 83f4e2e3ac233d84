package io.fastsafetensors.error;

import java.io.Serial;
import org.jspecify.annotations.Nullable;

/// The root of every exception that fst throws for what a file, a disk, a device or a rank did.
///
/// Unchecked and serialisable. The message names file, tensor, offset and backend as far as they are known, and
/// the way out. Using something that is closed is not in this family: that is [IllegalStateException].
public abstract sealed class FstException extends RuntimeException permits BackendException,
        BackendUnavailableException, BudgetException, ConfigException, FormatException, GroupException,
        LoadInterruptedException, SliceException, StorageException, TensorNotFoundException,
        UnsupportedFeatureException {
    @Serial
    private static final long serialVersionUID = 1L;

    private final Where where;

    /// @param detail what happened and what to do about it
    /// @param where the place, appended to the message
    /// @param cause the cause, or null
    protected FstException(String detail, Where where, @Nullable Throwable cause) {
        super(detail + where, cause);
        this.where = where;
    }

    /// A copy, with the original as its cause.
    FstException(FstException original) {
        super(original.getMessage(), original);
        this.where = original.where;
    }

    /// This failure for one more caller that it reaches: the same type and message, the caller's own stack trace, and this
    /// exception as its cause. Exceptions are mutable, so that one object must not be thrown by several threads.
    public abstract FstException copy();

    /// Where it happened.
    public Where where() {
        return where;
    }

    /// The error's stable name, as commands print it: the reference implementation's name for format errors
    /// (`InvalidOffset`), the class's name without `Exception` otherwise.
    public String errorName() {
        String name = getClass().getSimpleName();
        return name.endsWith("Exception") ? name.substring(0, name.length() - "Exception".length()) : name;
    }
}
