package io.fastsafetensors.testkit.checked;

import java.io.Serial;

/// A call to a backend, or an answer, that breaks the contract.
public final class ContractViolation extends AssertionError {
    @Serial
    private static final long serialVersionUID = 1L;

    private final Check check;

    ContractViolation(Check check, String detail) {
        super(check + " (" + check.side() + "): " + check.clause() + "; " + detail);
        this.check = check;
    }

    /// What was broken.
    public Check check() {
        return check;
    }
}
