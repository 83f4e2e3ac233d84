package io.fastsafetensors.backend.cuda.gds;

import io.fastsafetensors.backend.cpu.CpuBackendProvider;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.spi.SpiVersion;
import io.fastsafetensors.testkit.fault.FaultPlan;
import io.fastsafetensors.testkit.fault.FaultyBackendProvider;
import io.fastsafetensors.types.Device;
import java.util.Optional;

/// The backend over host memory that pretends to be a card's, and the fake library, for tests that go through the
/// loader; not available but while a test has set it up. Never chosen but by its name.
public final class HostGdsProvider implements BackendProvider {
    static final String NAME = "host-gds";

    private static volatile Optional<Parts> parts = Optional.empty();

    /// The settings of a test.
    ///
    /// @param memory the device, with a thread for each stream
    /// @param cuFile the library
    /// @param gds the provider under test
    record Parts(FaultyBackendProvider memory, FakeCuFile cuFile, GdsBackendProvider gds) {
    }

    /// For [java.util.ServiceLoader].
    public HostGdsProvider() {
    }

    static Parts setUp(FakeHost host) {
        FakeContext context = new FakeContext();
        FakeCuFile cuFile = new FakeCuFile(context);
        FaultyBackendProvider memory = new FaultyBackendProvider(new CpuBackendProvider(),
                FaultPlan.seeded(1).remote().deferred());
        CuFileLibrary library = CuFileLibrary.find(() -> cuFile);
        Parts made = new Parts(memory, cuFile,
                new GdsBackendProvider(memory, _ -> context, () -> library, host.setup()));
        parts = Optional.of(made);
        return made;
    }

    static void tearDown() {
        parts = Optional.empty();
    }

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
        return Device.CPU.type();
    }

    @Override
    public int priority() {
        return -1;
    }

    @Override
    public Probe probe() {
        return parts.map(p -> p.gds().probe()).orElseGet(() -> new Probe.Unavailable("no test has set it up"));
    }

    @Override
    public Backend open(Device device, BackendOptions options) {
        return parts.orElseThrow().gds().open(device, options);
    }
}
