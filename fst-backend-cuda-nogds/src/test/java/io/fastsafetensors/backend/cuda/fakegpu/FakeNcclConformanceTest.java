package io.fastsafetensors.backend.cuda.fakegpu;

import io.fastsafetensors.backend.cuda.NcclConformanceTest;
import io.fastsafetensors.group.Bootstrap;
import io.fastsafetensors.types.Device;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;

/// Every rule over the fake NCCL.
@OnFakeGpu
class FakeNcclConformanceTest extends NcclConformanceTest {
    /// The fake driver has four devices.
    private static final int DEVICES = 4;

    @TempDir
    Path meeting;

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
    protected Optional<Bootstrap> alone(Duration timeout) {
        return Optional.of(new Bootstrap(0, 2, 0, device(0), timeout, Map.of("FST_GROUP_DIR", meeting.toString())));
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
