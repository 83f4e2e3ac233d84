package io.fastsafetensors.backend.cuda.fakegpu;

import io.fastsafetensors.backend.cuda.CudaBackendProvider;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.testkit.BackendConformance;
import org.junit.jupiter.api.BeforeAll;

/// Every rule, through JCuda, on the fake GPU.
@OnFakeGpu
class FakeGpuConformanceTest extends BackendConformance {
    @BeforeAll
    static void load() {
        TheGpu.load();
    }

    @Override
    protected BackendProvider provider() {
        return new CudaBackendProvider();
    }
}
