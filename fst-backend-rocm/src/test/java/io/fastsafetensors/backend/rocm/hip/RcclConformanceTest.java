package io.fastsafetensors.backend.rocm.hip;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.fastsafetensors.group.Bootstrap;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.testkit.ProcessGroupConformance;
import io.fastsafetensors.types.Device;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/// Every rule over the fake RCCL, the ranks being threads.
@EnabledOnOs(OS.LINUX)
class RcclConformanceTest extends ProcessGroupConformance {
    /// The fake driver has four devices.
    private static final int DEVICES = 4;

    @TempDir
    Path meeting;

    @BeforeAll
    static void load() {
        FakeHip.gpu().reset();
        FakeHip.provider();
        assertEquals(Optional.empty(), new RcclProvider().unavailable());
    }

    private static Device device(int rank) {
        return new Device("rocm", rank % DEVICES);
    }

    @Override
    protected Optional<Bootstrap> alone(Duration timeout) {
        return Optional.of(new Bootstrap(0, 2, 0, device(0), timeout, Map.of("FST_GROUP_DIR", meeting.toString())));
    }

    @Override
    protected List<Integer> sizes() {
        return List.of(1, 2, DEVICES);
    }

    @Override
    protected String transport() {
        return "rccl";
    }

    @Override
    protected List<ProcessGroup> groups(int size, Duration timeout) {
        return new RcclProvider().local(IntStream.range(0, size).mapToObj(RcclConformanceTest::device).toList(),
                timeout);
    }

    @Override
    protected Backend open(int rank) {
        return FakeHip.provider().open(device(rank),
                BackendOptions.defaults().withProperties(Map.of(HipOptions.KERNEL_CACHE, "off")));
    }
}
