package io.fastsafetensors.backend.cuda.gds.fakegpu;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.fastsafetensors.backend.cuda.gds.GdsBackendProvider;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.testkit.BackendConformance;
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
}
