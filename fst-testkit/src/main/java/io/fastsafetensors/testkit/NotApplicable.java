package io.fastsafetensors.testkit;

import java.io.Serial;
import org.opentest4j.TestAbortedException;

/// Ends a test of a rule that does not concern this backend: it needs what the backend does not claim.
final class NotApplicable extends TestAbortedException {
    @Serial
    private static final long serialVersionUID = 1L;

    NotApplicable(String reason) {
        super(reason);
    }
}
