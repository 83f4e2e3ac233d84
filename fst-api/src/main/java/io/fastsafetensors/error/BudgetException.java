package io.fastsafetensors.error;

import java.io.Serial;

/// The plan cannot fit the memory budget. Thrown before the first byte is read.
public final class BudgetException extends FstException {
    @Serial
    private static final long serialVersionUID = 1L;

    private final long shortfall;

    /// @param tensor the tensor that does not fit
    /// @param required the smallest budget that would do, in bytes
    /// @param budget the budget, in bytes
    public BudgetException(String tensor, long required, long budget) {
        super("the budget of " + budget + " bytes is " + (required - budget) + " short: at least " + required
                + " are needed", Where.nowhere().withTensor(tensor), null);
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
