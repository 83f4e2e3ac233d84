package io.fastsafetensors.backend.cuda;

import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.testkit.ProcessGroupConformance;
import io.fastsafetensors.types.Device;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/// Every rule over this machine's NCCL, the ranks being threads with a GPU each.
public class NcclConformanceTest extends ProcessGroupConformance {
    private static final int MOST = 4;

    @Override
    protected String transport() {
        return "nccl";
    }

    @Override
    protected Optional<String> obstacle() {
        return new NcclProvider().unavailable();
    }

    /// NCCL takes one rank a GPU.
    @Override
    protected List<Integer> sizes() {
        int devices = ((Probe.Available) new CudaBackendProvider().probe()).devices().size();
        return IntStream.of(1, 2, MOST).filter(size -> size <= devices).boxed().toList();
    }

    /// A rank's GPU.
    protected Device device(int rank) {
        return new Device("cuda", rank);
    }

    @Override
    protected List<ProcessGroup> groups(int size, Duration timeout) {
        return new NcclProvider().local(IntStream.range(0, size).mapToObj(this::device).toList(), timeout);
    }

    @Override
    protected Backend open(int rank) {
        return new CudaBackendProvider().open(device(rank), BackendOptions.defaults());
    }
}
