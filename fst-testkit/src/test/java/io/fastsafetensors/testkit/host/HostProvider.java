package io.fastsafetensors.testkit.host;

import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.Capability;
import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.spi.DeviceKind;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.spi.SpiVersion;
import io.fastsafetensors.types.Device;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// The provider of [HostBackend].
public final class HostProvider implements BackendProvider {
    /// The device it serves.
    public static final Device DEVICE = new Device("host", 0);
    private static final DeviceInfo INFO =
            new DeviceInfo(DEVICE, DeviceKind.CPU, "host memory", HostBackend.TOTAL, -1, Map.of());

    private final Set<Capability> capabilities;

    private HostProvider(Set<Capability> capabilities) {
        this.capabilities = capabilities;
    }

    /// Everything that host memory can do.
    public static HostProvider full() {
        return new HostProvider(EnumSet.complementOf(EnumSet.of(Capability.ASYNCHRONOUS_COPIES)));
    }

    /// Everything but kernels: what a defect of memory or copies needs, without the time that conversions take.
    public static HostProvider copying() {
        return without(full(), Capability.KERNELS);
    }

    /// A device that the host cannot address, without kernels.
    public static HostProvider remote() {
        return without(discrete(), Capability.KERNELS);
    }

    private static HostProvider without(HostProvider base, Capability missing) {
        Set<Capability> capabilities = EnumSet.copyOf(base.capabilities);
        capabilities.remove(missing);
        return new HostProvider(capabilities);
    }

    /// As a device that the host cannot address.
    public static HostProvider discrete() {
        return new HostProvider(EnumSet.of(Capability.KERNELS, Capability.POINTERS));
    }

    /// Nothing but memory and copies.
    public static HostProvider minimal() {
        return new HostProvider(EnumSet.noneOf(Capability.class));
    }

    @Override
    public String name() {
        return "host";
    }

    @Override
    public int spiVersion() {
        return SpiVersion.CURRENT;
    }

    @Override
    public String deviceType() {
        return "host";
    }

    @Override
    public int priority() {
        return -1;
    }

    @Override
    public Probe probe() {
        return new Probe.Available(List.of(INFO), capabilities, Map.of());
    }

    @Override
    public Backend open(Device device, BackendOptions options) {
        if (!device.equals(DEVICE)) {
            throw new BackendException("no such device: " + device, Where.backend(name()));
        }
        return new HostBackend(INFO, capabilities);
    }
}
