package io.fastsafetensors.backend.cuda.fakegpu;

import io.fastsafetensors.backend.cuda.NcclConformanceTest;
import io.fastsafetensors.types.Device;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeAll;

/// Every rule over the fake NCCL.
@OnFakeGpu
class FakeNcclConformanceTest extends NcclConformanceTest {
    /// The fake driver has four devices.
    private static final int DEVICES = 4;

    @BeforeAll
    static void load() {
        TheGpu.load().reset();
    }

    /// Nothing may be missing here.
    @Override
    protected Optional<String> obstacle() {
        return Optional.empty();
    }

    @Override
    protected List<Integer> sizes() {
        return List.of(1, 2, 4);
    }

    @Override
    protected Device device(int rank) {
        return new Device("cuda", rank % DEVICES);
    }
}
