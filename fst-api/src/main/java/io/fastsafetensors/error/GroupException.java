package io.fastsafetensors.error;

import java.io.Serial;
import org.jspecify.annotations.Nullable;

/// A process group failed: ranks that disagree, a collective that timed out, a rank that died.
public final class GroupException extends FstException {
    @Serial
    private static final long serialVersionUID = 1L;

    /// @param detail what happened and what to do about it
    /// @param where the place
    public GroupException(String detail, Where where) {
        this(detail, where, null);
    }

    /// As above, with the cause.
    public GroupException(String detail, Where where, @Nullable Throwable cause) {
        super(detail, where, cause);
    }

    private GroupException(GroupException original) {
        super(original);
    }

    @Override
    public GroupException copy() {
        return new GroupException(this);
    }
}
