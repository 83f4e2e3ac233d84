package io.fastsafetensors.testkit;

import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.testkit.fault.FaultPlan;
import io.fastsafetensors.testkit.fault.FaultyBackendProvider;
import io.fastsafetensors.testkit.fault.Operation;
import io.fastsafetensors.testkit.fixture.Seed;
import io.fastsafetensors.testkit.host.HostProvider;
import java.time.Duration;
import java.util.Optional;

/// Every rule can be kept by a device whose copies are really asynchronous and late, and the decorator that makes them
/// so breaks none.
class DeferredHostConformanceTest extends BackendConformance {
    @Override
    protected BackendProvider provider() {
        return new FaultyBackendProvider(HostProvider.full(), FaultPlan.seeded(Seed.value()).deferred()
                .delay(Operation.COPY_TO_DEVICE, Duration.ofMillis(1)).delay(Operation.COPY, Duration.ofMillis(1))
                .delay(Operation.KERNEL, Duration.ofMillis(1)));
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
