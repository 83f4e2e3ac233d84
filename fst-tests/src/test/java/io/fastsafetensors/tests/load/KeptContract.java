package io.fastsafetensors.tests.load;

import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.testkit.checked.CheckedBackendProvider;
import io.fastsafetensors.testkit.checked.ContractViolation;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/// Fails every test in which core, or the backend below it, broke the contract between them on one of the devices that
/// these tests make. Registered for all tests of the module.
public final class KeptContract implements AfterEachCallback {
    /// What the fault plans of these tests break on purpose.
    private static final String INJECTED = "injected fault";
    private static final Queue<CheckedBackendProvider> WATCHED = new ConcurrentLinkedQueue<>();

    /// For the test engine.
    public KeptContract() {
    }

    /// The provider under watch.
    static BackendProvider around(BackendProvider provider) {
        CheckedBackendProvider checked = new CheckedBackendProvider(provider);
        WATCHED.add(checked);
        return checked;
    }

    @Override
    public void afterEach(ExtensionContext context) {
        for (CheckedBackendProvider each : WATCHED) {
            List<ContractViolation> found = each.violations().all().stream()
                    .filter(violation -> !String.valueOf(violation.getMessage()).contains(INJECTED)).toList();
            each.violations().clear();
            if (!found.isEmpty()) {
                throw new AssertionError(found.size() + " violations of the backend contract: " + found,
                        found.getFirst());
            }
        }
    }
}
