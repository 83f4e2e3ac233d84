package io.fastsafetensors.tests.load;

import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.testkit.checked.CheckedBackendProvider;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/// Fails every test in which core, or the backend below it, broke the contract between them on one of the devices that
/// these tests make. Registered for all tests of the module.
public final class KeptContract implements AfterEachCallback {
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
            try {
                each.violations().assertNone();
            } finally {
                each.violations().clear();
            }
        }
    }
}
