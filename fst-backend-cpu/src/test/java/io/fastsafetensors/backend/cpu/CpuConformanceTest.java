package io.fastsafetensors.backend.cpu;

import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.testkit.BackendConformance;

class CpuConformanceTest extends BackendConformance {
    @Override
    protected BackendProvider provider() {
        return new CpuBackendProvider();
    }
}
