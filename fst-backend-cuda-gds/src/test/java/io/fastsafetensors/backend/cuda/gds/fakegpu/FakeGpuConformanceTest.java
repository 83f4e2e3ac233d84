package io.fastsafetensors.backend.cuda.gds.fakegpu;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.fastsafetensors.backend.cuda.gds.GdsBackendProvider;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.testkit.BackendConformance;
import io.fastsafetensors.testkit.FailureHook;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;

/// Every rule, through JCuda and the binding of cuFile, on the fakes.
@OnFakeGpu
class FakeGpuConformanceTest extends BackendConformance {
    @BeforeAll
    static void load() {
        Fakes.gpu();
    }

    @AfterAll
    static void assertBalanced() {
        assertEquals(0, Fakes.count("handles"), "handles");
        assertEquals(0, Fakes.count("buffers"), "registered buffers");
        assertEquals(0, Fakes.count("misuses"), "misuses");
        assertEquals(1, Fakes.count("driverOpens"), "the driver is opened once");
    }

    @Override
    protected BackendProvider provider() {
        return new GdsBackendProvider();
    }

    @Override
    protected Optional<FailureHook> failures() {
        return Optional.of(failure -> Optional.of(switch (failure) {
            case COPY -> Fakes.gpu().failing("@copy");
            case KERNEL -> Fakes.gpu().failing("@kernel");
            case DIRECT_READ -> Fakes.failingReads();
        }));
    }
}
