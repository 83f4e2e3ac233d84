package io.fastsafetensors.gpu.nccl;

import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.group.Bootstrap;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.group.ProcessGroupProvider;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.SpiVersion;
import io.fastsafetensors.types.Device;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/// The entry of a transport over NCCL, or a library like it. Processes find each other by `NCCL_COMM_ID` or `FST_GROUP_DIR`, see
/// [NcclGroups#join]; a rank uses the device that its bootstrap names and no other.
public abstract class NcclTransport implements ProcessGroupProvider {
    private final String name;
    private final BackendProvider backend;

    /// @param name the transport's name
    /// @param backend of the devices that it moves memory of
    protected NcclTransport(String name, BackendProvider backend) {
        this.name = name;
        this.backend = backend;
    }

    /// The library, looked for once.
    protected abstract NcclInstallation installation();

    /// Opens a rank's device; fails with a reason if there is no such device.
    protected abstract NcclDevice open(Device device);

    @Override
    public final String name() {
        return name;
    }

    @Override
    public final Optional<String> unavailable() {
        return installation().obstacle().or(() -> backend.probe().obstacle());
    }

    @Override
    public final int spiVersion() {
        return SpiVersion.CURRENT;
    }

    /// That of its backend.
    @Override
    public final Set<String> deviceTypes() {
        return Set.of(backend.deviceType());
    }

    @Override
    public final ProcessGroup join(Bootstrap bootstrap) {
        return groups().join(bootstrap);
    }

    /// @param devices each once
    @Override
    public final List<ProcessGroup> local(List<Device> devices, Duration timeout) {
        return groups().local(devices, timeout);
    }

    private NcclGroups groups() {
        NcclInstallation found = installation();
        return found.nccl().map(nccl -> new NcclGroups(name, backend.deviceType(), nccl, this::open))
                .orElseThrow(() -> new UnsupportedFeatureException("the transport " + name + " does not work here: "
                        + found.obstacle().orElse(""), Where.backend(name)));
    }
}
