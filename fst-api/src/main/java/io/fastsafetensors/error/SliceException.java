package io.fastsafetensors.error;

import java.io.Serial;

/// A slice or shard that the tensor cannot give; names follow the reference implementation's `InvalidSlice`.
public final class SliceException extends FstException {
    @Serial
    private static final long serialVersionUID = 1L;

    /// Kinds of errors in a slice.
    public enum Reason {
        /// More slices than dimensions.
        TOO_MANY_SLICES("TooManySlices"),
        /// An index or a bound outside the dimension.
        SLICE_OUT_OF_RANGE("SliceOutOfRange"),
        /// A sub-byte element whose slice does not begin and end on whole bytes.
        MISALIGNED_SLICE("MisalignedSlice"),
        /// A dimension that the tensor does not have, or tensors that do not fit together.
        INVALID_DIMENSION("InvalidDimension");

        private final String label;

        Reason(String label) {
            this.label = label;
        }
    }

    private final Reason reason;

    /// @param reason what is wrong
    /// @param detail the figures
    /// @param where the tensor
    public SliceException(Reason reason, String detail, Where where) {
        super(reason.label + ": " + detail, where, null);
        this.reason = reason;
    }

    /// What is wrong.
    public Reason reason() {
        return reason;
    }

    @Override
    public String errorName() {
        return reason.label;
    }

    private SliceException(SliceException original) {
        super(original);
        this.reason = original.reason;
    }

    @Override
    public SliceException copy() {
        return new SliceException(this);
    }
}
