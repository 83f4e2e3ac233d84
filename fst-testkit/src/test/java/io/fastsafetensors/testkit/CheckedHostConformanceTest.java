package io.fastsafetensors.testkit;

import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.testkit.checked.CheckedBackendProvider;
import io.fastsafetensors.testkit.fault.FaultPlan;
import io.fastsafetensors.testkit.fault.FaultyBackendProvider;
import io.fastsafetensors.testkit.fixture.Seed;
import io.fastsafetensors.testkit.host.HostProvider;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;

/// A backend that keeps every rule violates no part of the contract, and the decorator that checks it breaks no rule.
class CheckedHostConformanceTest extends BackendConformance {
    private static final CheckedBackendProvider PROVIDER = new CheckedBackendProvider(
            new FaultyBackendProvider(HostProvider.full(), FaultPlan.seeded(Seed.value()).deferred()))
            .forwardingMisuse();

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
        return Optional.of("FileRulesTest puts these rules to the test");
    }
}
