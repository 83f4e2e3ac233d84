package io.fastsafetensors.tests.load;

import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.testkit.fault.FaultPlan;
import io.fastsafetensors.testkit.fault.FaultyBackendProvider;
import io.fastsafetensors.testkit.fault.OpenObjects;
import io.fastsafetensors.types.Device;

/// Host memory with a meter, found by its name `near` only. Behaves as its plan says.
public final class NearProvider implements BackendProvider {
    private static volatile FaultyBackendProvider near = provider(FaultPlan.seeded(0));

    /// For [java.util.ServiceLoader].
    public NearProvider() {
    }

    private static FaultyBackendProvider provider(FaultPlan plan) {
        return new FaultyBackendProvider(new MeteredProvider(), plan);
    }

    /// From now on devices behave like this.
    static OpenObjects behave(FaultPlan plan) {
        near = provider(plan);
        return near.objects();
    }

    @Override
    public String name() {
        return "near";
    }

    @Override
    public String deviceType() {
        return Device.CPU.type();
    }

    @Override
    public int priority() {
        return -2;
    }

    @Override
    public Probe probe() {
        return near.probe();
    }

    @Override
    public Backend open(Device device, BackendOptions options) {
        return near.open(device, options);
    }
}
