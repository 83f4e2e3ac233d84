package io.fastsafetensors.testkit.fault;

import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.Capability;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.types.Device;
import java.util.EnumSet;
import java.util.Set;

/// A provider whose backends misbehave as a [FaultPlan] says and whose objects are counted. Thread-safe.
///
/// It has the name, device type and priority of the provider that it decorates. Objects that its backends hand out
/// belong to them: give a backend only its own buffers, fences and streams.
public final class FaultyBackendProvider implements BackendProvider {
    private final BackendProvider delegate;
    private final FaultPlan plan;
    private final OpenObjects objects = new OpenObjects();

    /// Decorates a provider.
    ///
    /// @param delegate the provider whose backends do the work
    /// @param plan what goes wrong
    public FaultyBackendProvider(BackendProvider delegate, FaultPlan plan) {
        this.delegate = delegate;
        this.plan = plan;
    }

    /// What is open of everything that came from this provider.
    public OpenObjects objects() {
        return objects;
    }

    /// The plan.
    public FaultPlan plan() {
        return plan;
    }

    @Override
    public String name() {
        return delegate.name();
    }

    @Override
    public int spiVersion() {
        return delegate.spiVersion();
    }

    @Override
    public String deviceType() {
        return delegate.deviceType();
    }

    @Override
    public int priority() {
        return delegate.priority();
    }

    @Override
    public Probe probe() {
        Probe probe = delegate.probe();
        if (!(probe instanceof Probe.Available available)) {
            return probe;
        }
        Set<Capability> capabilities = EnumSet.noneOf(Capability.class);
        capabilities.addAll(available.capabilities());
        if (plan.isDeferred()) {
            capabilities.add(Capability.ASYNCHRONOUS_COPIES);
        }
        if (plan.isRemote()) {
            capabilities.remove(Capability.HOST_ADDRESSABLE);
        }
        return Probe.available(available.devices()).with(capabilities).withVersions(available.versions());
    }

    @Override
    public Backend open(Device device, BackendOptions options) {
        plan.before(Operation.OPEN, name(), 0);
        return new FaultyBackend(delegate.open(device, options), plan, objects);
    }
}
