package io.fastsafetensors.testkit;

import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.testkit.host.HostProvider;
import java.util.Optional;

/// Every rule can be kept by a device that the host cannot address.
class DiscreteHostConformanceTest extends BackendConformance {
    @Override
    protected BackendProvider provider() {
        return HostProvider.discrete();
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
