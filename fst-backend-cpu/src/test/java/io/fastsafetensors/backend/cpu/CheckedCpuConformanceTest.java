package io.fastsafetensors.backend.cpu;

import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.testkit.BackendConformance;
import io.fastsafetensors.testkit.Effort;
import io.fastsafetensors.testkit.checked.CheckedBackendProvider;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Tag;

/// Runs the rules with every call and answer checked against the contract.
@Tag("slow")
class CheckedCpuConformanceTest extends BackendConformance {
    private static final CheckedBackendProvider PROVIDER =
            new CheckedBackendProvider(new CpuBackendProvider()).forwardingMisuse();

    @AfterAll
    static void nothing_was_violated() {
        PROVIDER.violations().assertNone();
    }

    @Override
    protected BackendProvider provider() {
        return PROVIDER;
    }

    @Override
    protected Effort effort() {
        return Effort.QUICK;
    }

    @Override
    protected Optional<String> withoutLoader() {
        return Optional.of("the loader finds the backend without the checks");
    }
}
