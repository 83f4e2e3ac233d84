package acme.least;

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
import java.util.List;

/// Serves `least:0`: memory of this process that stands for a device's.
public final class LeastProvider implements BackendProvider {
    static final DeviceInfo DEVICE = DeviceInfo.of(new Device("least", 0), DeviceKind.ACCELERATOR, "a piece of memory")
            .withTotalBytes(LeastBackend.TOTAL);

    @Override
    public String name() {
        return "least";
    }

    @Override
    public int spiVersion() {
        return SpiVersion.CURRENT;
    }

    @Override
    public String deviceType() {
        return "least";
    }

    @Override
    public Probe probe() {
        return Probe.available(List.of(DEVICE)).with(Capability.KERNELS);
    }

    @Override
    public Backend open(Device device, BackendOptions options) {
        if (!device.equals(DEVICE.device())) {
            throw new BackendException("there is no device " + device, Where.backend(name()));
        }
        return new LeastBackend();
    }
}
