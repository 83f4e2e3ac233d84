package io.fastsafetensors.backend.cuda;

import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.group.Bootstrap;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.group.ProcessGroupProvider;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.group.nccl.NcclGroups;
import io.fastsafetensors.group.nccl.NcclInstallation;
import io.fastsafetensors.group.nccl.ffm.NcclFfm;
import io.fastsafetensors.types.Device;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/// The transport `nccl`: NCCL 2.18 or newer between NVIDIA GPUs, each of which one rank drives. Processes find each other by
/// `NCCL_COMM_ID` or `FST_GROUP_DIR`, see [NcclGroups#join]; the ranks of one JVM are made by [#local]. A rank uses the
/// device that its bootstrap names and no other.
public final class NcclProvider implements ProcessGroupProvider {
    private static final String NAME = "nccl";

    /// Costs nothing; [#unavailable()] loads the library and the driver.
    public NcclProvider() {
    }

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public Optional<String> unavailable() {
        return ThisMachine.LIBRARY.obstacle().or(
                () -> new CudaBackendProvider().probe() instanceof Probe.Unavailable none ? Optional.of(none.reason())
                        : Optional.empty());
    }

    @Override
    public ProcessGroup join(Bootstrap bootstrap) {
        return groups().join(bootstrap);
    }

    /// @param devices each once
    @Override
    public List<ProcessGroup> local(List<Device> devices, Duration timeout) {
        return groups().local(devices, timeout);
    }

    private static NcclGroups groups() {
        return ThisMachine.GROUPS
                .orElseThrow(() -> new UnsupportedFeatureException("the transport nccl does not work here: "
                        + ThisMachine.LIBRARY.obstacle().orElse(""), Where.backend(NAME)));
    }

    private static CudaNcclDevice open(Device device) {
        return new CudaNcclDevice(
                (ContextBackend) new CudaBackendProvider().open(device, BackendOptions.defaults()));
    }

    private static final class ThisMachine {
        static final NcclInstallation LIBRARY = NcclInstallation.find(NAME, () -> {
            CudaMachine.obstacle(System.getProperty("os.name"), System.getProperty("os.arch")).ifPresent(reason -> {
                throw new UnsupportedFeatureException(reason, Where.nowhere());
            });
            return new NcclFfm("libnccl.so.2", "libnccl.so");
        });
        static final Optional<NcclGroups> GROUPS =
                LIBRARY.nccl().map(nccl -> new NcclGroups(NAME, CudaBackend.DEVICE_TYPE, nccl, NcclProvider::open));
    }
}
