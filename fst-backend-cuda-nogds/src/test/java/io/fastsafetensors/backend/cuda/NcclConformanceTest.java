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

/// Every rule over this machine's NCCL, the ranks being threads with a GPU each; or sharing one, if
/// `NCCL_MULTI_RANK_GPU_ENABLE=1` lets them.
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

    @Override
    protected List<Integer> sizes() {
        boolean shared = "1".equals(System.getenv("NCCL_MULTI_RANK_GPU_ENABLE"));
        int most = shared ? MOST : devices();
        return IntStream.of(1, 2, MOST).filter(size -> size <= most).boxed().toList();
    }

    private static int devices() {
        return new CudaBackendProvider().probe().found().map(found -> found.devices().size()).orElse(0);
    }

    /// A rank's GPU.
    protected Device device(int rank) {
        return new Device("cuda", rank % devices());
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
