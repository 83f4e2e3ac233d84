package io.fastsafetensors.backend.rocm.hip;

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

/// The transport `rccl`: RCCL 2.18 or newer between AMD GPUs, each of which one rank drives. Processes find each other by
/// `NCCL_COMM_ID` or `FST_GROUP_DIR`, see [NcclGroups#join]; the ranks of one JVM are made by [#local]. A rank uses the
/// device that its bootstrap names and no other.
public final class RcclProvider implements ProcessGroupProvider {
    private static final String NAME = "rccl";

    /// Costs nothing; [#unavailable()] loads the libraries.
    public RcclProvider() {
    }

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public Optional<String> unavailable() {
        return ThisMachine.LIBRARY.obstacle().or(
                () -> new HipBackendProvider().probe() instanceof Probe.Unavailable none ? Optional.of(none.reason())
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
                .orElseThrow(() -> new UnsupportedFeatureException("the transport rccl does not work here: "
                        + ThisMachine.LIBRARY.obstacle().orElse(""), Where.backend(NAME)));
    }

    private static HipNcclDevice open(Device device) {
        return new HipNcclDevice((HipBackend) new HipBackendProvider().open(device, BackendOptions.defaults()));
    }

    private static final class ThisMachine {
        static final NcclInstallation LIBRARY =
                NcclInstallation.find(NAME, () -> new NcclFfm("librccl.so.1", "librccl.so"));
        static final Optional<NcclGroups> GROUPS =
                LIBRARY.nccl().map(nccl -> new NcclGroups(NAME, DeviceFacts.DEVICE_TYPE, nccl, RcclProvider::open));
    }
}
