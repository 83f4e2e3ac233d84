package io.fastsafetensors.testkit;

import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.testkit.host.HostProvider;

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
}
