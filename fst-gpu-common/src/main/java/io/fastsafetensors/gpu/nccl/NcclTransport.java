package io.fastsafetensors.gpu.nccl;

import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.gpu.NativeBackend;
import io.fastsafetensors.group.Bootstrap;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.group.ProcessGroupProvider;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.SpiVersion;
import io.fastsafetensors.types.Device;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;

/// The entry of a transport over NCCL, or a library like it. Processes find each other by `NCCL_COMM_ID` or
/// `FST_GROUP_DIR`, see [NcclGroups#join]; a rank uses the device that its bootstrap names and no other.
public abstract class NcclTransport implements ProcessGroupProvider {
    private final String name;
    private final BackendProvider backend;
    private final Supplier<NcclInstallation> library;

    /// @param name the transport's name
    /// @param backend opens a [NativeBackend] of each device that the transport moves memory of
    /// @param library the library, always the same one
    protected NcclTransport(String name, BackendProvider backend, Supplier<NcclInstallation> library) {
        this.name = name;
        this.backend = backend;
        this.library = library;
    }

    @Override
    public final String name() {
        return name;
    }

    @Override
    public final Optional<String> unavailable() {
        return library.get().obstacle().or(() -> backend.probe().obstacle());
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

    private NativeBackend open(Device device) {
        return (NativeBackend) backend.open(device, BackendOptions.defaults());
    }

    private NcclGroups groups() {
        NcclInstallation found = library.get();
        return found.nccl().map(nccl -> new NcclGroups(name, backend.deviceType(), nccl, this::open))
                .orElseThrow(() -> new UnsupportedFeatureException("the transport " + name + " does not work here: "
                        + found.obstacle().orElse(""), Where.backend(name)));
    }
}
