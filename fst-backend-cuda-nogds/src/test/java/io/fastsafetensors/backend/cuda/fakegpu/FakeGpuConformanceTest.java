package io.fastsafetensors.backend.cuda.fakegpu;

import io.fastsafetensors.backend.cuda.CudaBackendProvider;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.testkit.BackendConformance;
import io.fastsafetensors.testkit.FailureHook;
import java.util.Optional;
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

    @Override
    protected Optional<FailureHook> failures() {
        return Optional.of(failure -> switch (failure) {
            case COPY -> Optional.of(TheGpu.load().failing("@copy"));
            case KERNEL -> Optional.of(TheGpu.load().failing("@kernel"));
            case DIRECT_READ -> Optional.empty();
        });
    }
}
