package io.fastsafetensors.error;

import java.io.Serial;

/// No tensor of that name in the checkpoint (or in the selection that was loaded).
public final class TensorNotFoundException extends FstException {
    @Serial
    private static final long serialVersionUID = 1L;

    /// @param name the name asked for
    /// @param hint where it was looked for, and names that come close
    public TensorNotFoundException(String name, String hint) {
        super("TensorNotFound: no tensor \"" + Printable.escape(name) + "\": " + hint, Where.nowhere(), null);
    }

    @Override
    public String errorName() {
        return "TensorNotFound";
    }

    private TensorNotFoundException(TensorNotFoundException original) {
        super(original);
    }

    @Override
    public TensorNotFoundException copy() {
        return new TensorNotFoundException(this);
    }
}
