package io.fastsafetensors.backend.cpu.mpi;

import io.fastsafetensors.backend.cpu.CpuBackendProvider;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.testkit.ProcessGroupConformance;
import io.fastsafetensors.types.Device;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.junit.jupiter.api.Tag;

/// Every rule, over a library that moves messages between threads.
@Tag("native")
class FakeMpiConformanceTest extends ProcessGroupConformance {
    /// MPI starts once in a process, and its thread stays: groups of one size are of the same processes.
    private static final Map<Integer, FakeRanks> RANKS = new ConcurrentHashMap<>();

    @Override
    protected String transport() {
        return "mpi";
    }

    @Override
    protected List<ProcessGroup> groups(int size, Duration timeout) throws Exception {
        return RANKS.computeIfAbsent(size, FakeRanks::new).join(timeout);
    }

    @Override
    protected Backend open(int rank) {
        return new CpuBackendProvider().open(Device.CPU, BackendOptions.defaults());
    }
}
