package io.fastsafetensors.tests.load;

import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.spi.DeviceKind;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.spi.SpiVersion;
import io.fastsafetensors.testkit.fault.FaultPlan;
import io.fastsafetensors.testkit.fault.FaultyBackendProvider;
import io.fastsafetensors.testkit.fault.OpenObjects;
import io.fastsafetensors.types.Device;
import java.util.List;
import java.util.Map;

/// A device whose memory the host can address, as the CPU's, which misbehaves as its plan says.
public final class NearProvider implements BackendProvider {
    static final Device DEVICE = new Device("near", 0);
    private static volatile FaultyBackendProvider faulty = faulty(FaultPlan.seeded(0));

    /// For [java.util.ServiceLoader].
    public NearProvider() {
    }

    private static FaultyBackendProvider faulty(FaultPlan plan) {
        return new FaultyBackendProvider(new MeteredProvider(), plan);
    }

    /// From now on devices behave like this.
    static OpenObjects behave(FaultPlan plan) {
        faulty = faulty(plan);
        return faulty.objects();
    }

    @Override
    public String name() {
        return "near";
    }

    @Override
    public int spiVersion() {
        return SpiVersion.CURRENT;
    }

    @Override
    public String deviceType() {
        return "near";
    }

    @Override
    public int priority() {
        return -2;
    }

    @Override
    public Probe probe() {
        Probe.Available available = (Probe.Available) faulty.probe();
        return new Probe.Available(List.of(new DeviceInfo(DEVICE, DeviceKind.CPU, "near memory", 1L << 40, -1,
                Map.of())), available.capabilities(), Map.of());
    }

    @Override
    public Backend open(Device device, BackendOptions options) {
        return faulty.open(Device.CPU, options);
    }
}
