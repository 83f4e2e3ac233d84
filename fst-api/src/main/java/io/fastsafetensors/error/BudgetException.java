package io.fastsafetensors.error;

import java.io.Serial;

/// The plan cannot fit the memory budget. Thrown before the first byte is read, or by a stream whose owned tensors leave
/// no room for the next one.
public final class BudgetException extends FstException {
    @Serial
    private static final long serialVersionUID = 1L;

    private final long shortfall;

    /// @param tensor the tensor that does not fit
    /// @param required the smallest budget that would do, in bytes
    /// @param budget the budget, in bytes
    public BudgetException(String tensor, long required, long budget) {
        this(tensor, required, budget, "");
    }

    /// As above, with what to do.
    ///
    /// @param advice why so much is needed, or what would help; may be empty
    public BudgetException(String tensor, long required, long budget, String advice) {
        super("the budget of " + budget + " bytes is " + (required - budget) + " short: at least " + required
                + " are needed" + (advice.isEmpty() ? "" : "; " + advice), Where.nowhere().withTensor(tensor), null);
        this.shortfall = required - budget;
    }

    /// How many bytes are missing.
    public long shortfall() {
        return shortfall;
    }

    private BudgetException(BudgetException original) {
        super(original);
        this.shortfall = original.shortfall;
    }

    @Override
    public BudgetException copy() {
        return new BudgetException(this);
    }
}
