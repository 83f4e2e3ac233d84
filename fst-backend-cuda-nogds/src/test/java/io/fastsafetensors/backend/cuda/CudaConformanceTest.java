package io.fastsafetensors.backend.cuda;

import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.testkit.BackendConformance;
import org.junit.jupiter.api.condition.DisabledIfSystemProperty;

/// On this machine's own GPU; aborted where there is none.
@DisabledIfSystemProperty(named = "fst.test.fakeGpu", matches = "true", disabledReason = "this JVM's GPU is a fake")
class CudaConformanceTest extends BackendConformance {
    @Override
    protected BackendProvider provider() {
        return new CudaBackendProvider();
    }
}
