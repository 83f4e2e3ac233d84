package io.fastsafetensors.testkit;

import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.testkit.host.HostProvider;
import java.util.Optional;

/// The kit's own backend keeps every rule.
class HostConformanceTest extends BackendConformance {
    @Override
    protected BackendProvider provider() {
        return HostProvider.full();
    }

    @Override
    protected Optional<String> withoutLoader() {
        return Optional.of("FileRulesTest puts these rules to the test");
    }
}
