package io.fastsafetensors.testkit;

import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.testkit.host.HostProvider;

/// The kit's own backend keeps every rule.
class HostConformanceTest extends BackendConformance {
    @Override
    protected BackendProvider provider() {
        return HostProvider.full();
    }
}
