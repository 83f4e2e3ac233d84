package io.fastsafetensors.testkit.checked;

import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.stream.Collectors;

/// The violations that were found. Each is thrown where it happens as well, but a reader thread's error may become an
/// exception that a test expects: end each test with [#assertNone()]. Thread-safe.
public final class Violations {
    private final Queue<ContractViolation> found = new ConcurrentLinkedQueue<>();

    Violations() {
    }

    ContractViolation add(Check check, String detail) {
        ContractViolation violation = new ContractViolation(check, detail);
        found.add(violation);
        return violation;
    }

    /// All so far, in the order in which they were found.
    public List<ContractViolation> all() {
        return List.copyOf(found);
    }

    /// Forgets those so far.
    public void clear() {
        found.clear();
    }

    /// Fails if there are any.
    ///
    /// @throws AssertionError naming all of them, with the first as its cause
    public void assertNone() {
        List<ContractViolation> all = all();
        if (!all.isEmpty()) {
            throw new AssertionError(all.size() + " violations of the backend contract:\n"
                    + all.stream().map(Throwable::getMessage).distinct().collect(Collectors.joining("\n")),
                    all.getFirst());
        }
    }
}
