package io.fastsafetensors.tests.load;

import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.Capability;
import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.spi.DeviceKind;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.spi.SpiVersion;
import io.fastsafetensors.testkit.fault.FaultPlan;
import io.fastsafetensors.testkit.fault.FaultyBackendProvider;
import io.fastsafetensors.testkit.fault.OpenObjects;
import io.fastsafetensors.types.Device;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// A device as far away as a graphics card, made of host memory: the host cannot address its buffers, each stream runs
/// on its own thread, mappings can be registered, files can be read directly. Misbehaves as its plan says.
public final class RemoteProvider implements BackendProvider {
    static final Device DEVICE = new Device("remote", 0);
    private static volatile FaultyBackendProvider faulty = faulty(FaultPlan.seeded(0));

    /// For [java.util.ServiceLoader].
    public RemoteProvider() {
    }

    private static FaultyBackendProvider faulty(FaultPlan plan) {
        return new FaultyBackendProvider(new Sound(), plan.remote().deferred());
    }

    /// From now on devices behave like this.
    static OpenObjects behave(FaultPlan plan) {
        faulty = faulty(plan);
        return faulty.objects();
    }

    @Override
    public String name() {
        return faulty.name();
    }

    @Override
    public int spiVersion() {
        return SpiVersion.CURRENT;
    }

    @Override
    public String deviceType() {
        return faulty.deviceType();
    }

    @Override
    public int priority() {
        return faulty.priority();
    }

    @Override
    public Probe probe() {
        return faulty.probe();
    }

    @Override
    public Backend open(Device device, BackendOptions options) {
        return faulty.open(device, options);
    }

    /// The device as it is when nothing goes wrong.
    private static final class Sound implements BackendProvider {
        private final BackendProvider memory = new MeteredProvider();

        @Override
        public String name() {
            return "remote";
        }

        @Override
        public int spiVersion() {
            return SpiVersion.CURRENT;
        }

        @Override
        public String deviceType() {
            return "remote";
        }

        @Override
        public int priority() {
            return -1;
        }

        @Override
        public Probe probe() {
            Set<Capability> capabilities = EnumSet.copyOf(((Probe.Available) memory.probe()).capabilities());
            capabilities.add(Capability.HOST_REGISTRATION);
            capabilities.add(Capability.DIRECT_STORAGE);
            return new Probe.Available(List.of(new DeviceInfo(DEVICE, DeviceKind.ACCELERATOR, "far memory", 1L << 40,
                    -1, Map.of())), capabilities, Map.of());
        }

        @Override
        public Backend open(Device device, BackendOptions options) {
            return new RemoteBackend(memory.open(Device.CPU, options));
        }
    }
}
