package io.fastsafetensors.backend.cpu.mpi;

import io.fastsafetensors.backend.cpu.CpuBackendProvider;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.testkit.ProcessGroupConformance;
import io.fastsafetensors.types.Device;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Tag;

/// Every rule, over a library that moves messages between threads.
@Tag("native")
class FakeMpiConformanceTest extends ProcessGroupConformance {
    @Override
    protected String transport() {
        return "mpi";
    }

    @Override
    protected List<ProcessGroup> groups(int size, Duration timeout) throws Exception {
        return new FakeRanks(size).join(timeout);
    }

    /// MPI starts once in a process; here each rank of each group is a process.
    @Override
    protected boolean stays(Thread thread) {
        return thread.getName().equals("fst-mpi");
    }

    @Override
    protected Backend open(int rank) {
        return new CpuBackendProvider().open(Device.CPU, BackendOptions.defaults());
    }
}
