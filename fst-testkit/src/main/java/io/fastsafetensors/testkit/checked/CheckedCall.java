package io.fastsafetensors.testkit.checked;

import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.FstException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// One call: its arguments are checked, then the backend is called, then what came of it is checked.
final class CheckedCall {
    private final Contract contract;
    private final String what;
    private final List<Class<? extends RuntimeException>> refusals = new ArrayList<>();
    private BooleanSupplier ended = () -> false;
    private boolean unspecified;

    CheckedCall(Contract contract, String what) {
        this.contract = contract;
        this.what = what;
    }

    /// An argument that the backend must refuse if it is wrong.
    CheckedCall require(boolean kept, Check check, Class<? extends RuntimeException> refusal, Supplier<String> detail) {
        if (!kept) {
            blame(check, detail);
            refusals.add(refusal);
        }
        return this;
    }

    /// An argument for which the contract names no refusal.
    CheckedCall assume(boolean kept, Check check, Supplier<String> detail) {
        if (!kept) {
            blame(check, detail);
            unspecified = true;
        }
        return this;
    }

    private void blame(Check check, Supplier<String> detail) {
        if (!contract.forwardsMisuse()) {
            throw contract.violations().add(check, what + ": " + detail.get());
        }
    }

    /// An [IllegalStateException] is right where this says that something was closed meanwhile.
    CheckedCall unless(BooleanSupplier closedMeanwhile) {
        ended = closedMeanwhile;
        return this;
    }

    /// Whether the arguments are right, so that the call counts.
    boolean isLegal() {
        return refusals.isEmpty() && !unspecified;
    }

    void run(Runnable call) {
        answer(() -> {
            call.run();
            return Boolean.TRUE;
        });
    }

    <T> T answer(Supplier<@Nullable T> call) {
        T answer;
        try {
            answer = call.get();
        } catch (RuntimeException | LinkageError e) {
            judge(e);
            throw e;
        }
        if (!refusals.isEmpty() && !unspecified) {
            close(answer);
            throw contract.violations().add(Check.MISUSE_ACCEPTED, what + " returned, and should throw " + names());
        }
        if (answer == null) {
            throw contract.violations().add(Check.NULL_ANSWER, what);
        }
        return answer;
    }

    private void judge(Throwable thrown) {
        if (unspecified) {
            return;
        }
        if (!refusals.isEmpty()) {
            contract.require(refusals.stream().anyMatch(r -> r.isInstance(thrown)), Check.WRONG_REFUSAL,
                    what + " threw " + thrown + ", and should throw " + names());
            return;
        }
        boolean declared = thrown instanceof FstException
                || (thrown instanceof IllegalStateException && ended.getAsBoolean());
        if (!declared) {
            ContractViolation violation = contract.violations().add(Check.UNDECLARED_EXCEPTION,
                    what + " threw " + thrown);
            violation.initCause(thrown);
            throw violation;
        }
        contract.require(!(thrown instanceof BackendException e) || e.where().backend() != null,
                Check.UNNAMED_BACKEND, what + " threw " + thrown);
    }

    private String names() {
        return String.join(" or ", refusals.stream().map(Class::getSimpleName).distinct().toList());
    }

    private static void close(@Nullable Object answer) {
        if (answer instanceof AutoCloseable open) {
            try {
                open.close();
            } catch (Exception _) {
                // The violation that follows says more.
            }
        }
    }
}
