package io.fastsafetensors.error;

import java.io.Serial;
import org.jspecify.annotations.Nullable;

/// A file or checkpoint breaks the format. Nothing was loaded and nothing is held, but for the other tensors of a load that
/// finds one whose digest is wrong.
public final class FormatException extends FstException {
    @Serial
    private static final long serialVersionUID = 1L;

    private final FormatError error;

    /// @param error which rule is broken
    /// @param detail how, in a sentence
    /// @param where the file, the tensor
    public FormatException(FormatError error, String detail, Where where) {
        this(error, detail, where, null);
    }

    /// As above, with the cause.
    public FormatException(FormatError error, String detail, Where where, @Nullable Throwable cause) {
        super(error.label() + ": " + detail, where, cause);
        this.error = error;
    }

    /// Which rule is broken.
    public FormatError error() {
        return error;
    }

    @Override
    public String errorName() {
        return error.label();
    }

    private FormatException(FormatException original) {
        super(original);
        this.error = original.error;
    }

    @Override
    public FormatException copy() {
        return new FormatException(this);
    }
}
