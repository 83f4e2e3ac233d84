package acme.async;

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
import java.util.stream.IntStream;

/// Serves `async:0` and `async:1`: memory of this process that is copied by threads, as devices copy beside the caller.
public final class AsyncProvider implements BackendProvider {
    static final String NAME = "async";
    private static final List<DeviceInfo> DEVICES = IntStream.range(0, 2)
            .mapToObj(i -> DeviceInfo.of(new Device(NAME, i), DeviceKind.ACCELERATOR, "memory with threads")
                    .withTotalBytes(AsyncBackend.TOTAL).withAttribute("threads", "one per stream"))
            .toList();

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public int spiVersion() {
        return SpiVersion.CURRENT;
    }

    @Override
    public String deviceType() {
        return NAME;
    }

    @Override
    public Probe probe() {
        return Probe.available(DEVICES).with(Capability.KERNELS, Capability.ASYNCHRONOUS_COPIES);
    }

    @Override
    public Backend open(Device device, BackendOptions options) {
        return DEVICES.stream().filter(info -> info.device().equals(device)).findFirst().map(AsyncBackend::new)
                .orElseThrow(() -> new BackendException("there is no device " + device, Where.backend(NAME)));
    }
}
