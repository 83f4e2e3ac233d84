package io.fastsafetensors.error;

import java.io.Serial;
import org.jspecify.annotations.Nullable;

/// The ability is not there: in this version, on this platform, or in this backend. The message says which.
public final class UnsupportedFeatureException extends FstException {
    @Serial
    private static final long serialVersionUID = 1L;

    /// @param detail what happened and what to do about it
    /// @param where the place
    public UnsupportedFeatureException(String detail, Where where) {
        this(detail, where, null);
    }

    /// As above, with the cause.
    public UnsupportedFeatureException(String detail, Where where, @Nullable Throwable cause) {
        super(detail, where, cause);
    }

    private UnsupportedFeatureException(UnsupportedFeatureException original) {
        super(original);
    }

    @Override
    public UnsupportedFeatureException copy() {
        return new UnsupportedFeatureException(this);
    }
}
