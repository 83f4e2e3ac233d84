package io.fastsafetensors.testkit.checked;

import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.types.Device;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReference;

/// A provider whose backends check every call that is made to them, and every answer, against the contract of the SPI;
/// [Check] lists what. What breaks it is thrown as a [ContractViolation] where it happens, and kept in [#violations()].
///
/// Who writes a backend puts it around his own in his programs and tests, for example by registering a subclass:
///
/// ```java
/// public final class CheckedAcme extends CheckedBackendProvider {
///     public CheckedAcme() {
///         super("acme-checked", new AcmeBackendProvider());
///     }
/// }
/// ```
///
/// and loading with `Loader.builder().backend("acme-checked")`. In a conformance test, whose rules misuse backends on
/// purpose, [#forwardingMisuse()] passes wrong calls on and checks that they are refused.
///
/// Objects that its backends hand out belong to them: give a backend only its own streams and fences. Thread-safe.
public class CheckedBackendProvider implements BackendProvider {
    private final Optional<String> name;
    private final BackendProvider delegate;
    private final Contract contract;
    private final AtomicReference<Answer> first = new AtomicReference<>();

    private record Answer(Set<DeviceInfo> devices, Probe probe) {
    }

    /// Around a provider, under its name.
    public CheckedBackendProvider(BackendProvider delegate) {
        this(Optional.empty(), delegate, false);
    }

    /// Around a provider, under another name, so that both can be registered. It is never chosen by itself.
    protected CheckedBackendProvider(String name, BackendProvider delegate) {
        this(Optional.of(name), delegate, false);
    }

    private CheckedBackendProvider(Optional<String> name, BackendProvider delegate, boolean forwardsMisuse) {
        this.name = name;
        this.delegate = delegate;
        this.contract = new Contract(forwardsMisuse);
    }

    /// The same for tests that misuse the backend: wrong calls reach it, and it must refuse them as the contract says.
    public CheckedBackendProvider forwardingMisuse() {
        return new CheckedBackendProvider(name, delegate, true);
    }

    /// What was found so far, over all backends of this provider.
    public Violations violations() {
        return contract.violations();
    }

    @Override
    public String name() {
        return name.orElseGet(delegate::name);
    }

    @Override
    public String deviceType() {
        return delegate.deviceType();
    }

    @Override
    public int spiVersion() {
        return delegate.spiVersion();
    }

    @Override
    public int priority() {
        return name.isPresent() ? Integer.MIN_VALUE + 1 : delegate.priority();
    }

    @Override
    public Probe probe() {
        Probe probe;
        try {
            probe = delegate.probe();
        } catch (RuntimeException | LinkageError e) {
            throw contract.violations().add(Check.PROBE_THROWS, "probe() threw " + e);
        }
        contract.require(probe != null, Check.NULL_ANSWER, "probe()");
        Answer answer = new Answer(Set.copyOf(devices(probe)), probe);
        Answer before = first.compareAndExchange(null, answer);
        contract.require(before == null || same(before.probe, probe), Check.PROBE_CHANGED,
                "probe() said " + (before == null ? "" : before.probe) + " and now " + probe);
        if (probe instanceof Probe.Available available) {
            contract.claims(available.capabilities());
        }
        return probe;
    }

    private static List<DeviceInfo> devices(Probe probe) {
        return probe instanceof Probe.Available available ? available.devices() : List.of();
    }

    private static boolean same(Probe one, Probe other) {
        if (one instanceof Probe.Available first && other instanceof Probe.Available second) {
            return first.capabilities().equals(second.capabilities())
                    && first.devices().stream().map(DeviceInfo::device).toList()
                            .equals(second.devices().stream().map(DeviceInfo::device).toList());
        }
        return one.getClass() == other.getClass();
    }

    @Override
    public Backend open(Device device, BackendOptions options) {
        List<DeviceInfo> devices = devices(probe());
        Backend backend = contract.call("open(" + device + ")")
                .require(devices.stream().anyMatch(d -> d.device().equals(device)), Check.DEVICE_NOT_LISTED,
                        BackendException.class, () -> devices + " are listed")
                .answer(() -> delegate.open(device, options));
        return new CheckedBackend(backend, name(), device, contract);
    }
}
