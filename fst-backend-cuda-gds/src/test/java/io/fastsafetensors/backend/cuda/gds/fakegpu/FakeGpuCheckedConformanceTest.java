package io.fastsafetensors.backend.cuda.gds.fakegpu;

import io.fastsafetensors.backend.cuda.gds.GdsBackendProvider;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.testkit.BackendConformance;
import io.fastsafetensors.testkit.Effort;
import io.fastsafetensors.testkit.checked.CheckedBackendProvider;
import io.fastsafetensors.types.Device;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;

/// Runs the rules with every call and answer checked against the contract.
@OnFakeGpu
@Tag("slow")
class FakeGpuCheckedConformanceTest extends BackendConformance {
    private static final CheckedBackendProvider PROVIDER =
            new CheckedBackendProvider(new GdsBackendProvider()).forwardingMisuse();

    @BeforeAll
    static void load() {
        Fakes.gpu();
    }

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

    /// The checks do not depend on the device.
    @Override
    protected List<Device> devices(Probe.Available available) {
        return List.of(device(available));
    }
}
