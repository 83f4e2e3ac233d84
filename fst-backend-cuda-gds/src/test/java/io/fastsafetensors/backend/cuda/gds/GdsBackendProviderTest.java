package io.fastsafetensors.backend.cuda.gds;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.backend.cpu.CpuBackendProvider;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.OutOfDeviceMemoryException;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.Capability;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.testkit.fault.FaultPlan;
import io.fastsafetensors.testkit.fault.FaultyBackendProvider;
import io.fastsafetensors.testkit.fault.Operation;
import io.fastsafetensors.types.Device;
import java.io.IOException;
import java.nio.file.Path;
import java.util.function.Supplier;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GdsBackendProviderTest {
    @TempDir
    Path folder;

    private FakeHost host;
    private final FakeContext context = new FakeContext();
    private final FakeCuFile cuFile = new FakeCuFile(context);

    @BeforeEach
    void machine() throws IOException {
        host = new FakeHost(folder);
    }

    private GdsBackendProvider provider(BackendProvider cuda, Supplier<CuFileLibrary> library) {
        return new GdsBackendProvider(cuda, _ -> context, library, host.setup());
    }

    private GdsBackendProvider working() {
        CuFileLibrary library = CuFileLibrary.find(() -> cuFile);
        return provider(new CpuBackendProvider(), () -> library);
    }

    @Test
    void it_comes_before_host_copies_only_where_direct_reads_are_possible() throws IOException {
        assertEquals(90, working().priority());
        host.withNvidiaFs();
        assertEquals(200, working().priority());
    }

    @Test
    void the_probe_adds_to_what_it_decorates() throws IOException {
        Probe.Available found = assertInstanceOf(Probe.Available.class, working().probe());
        Probe.Available cpu = (Probe.Available) new CpuBackendProvider().probe();
        assertEquals(cpu.devices(), found.devices());
        assertTrue(found.capabilities().containsAll(cpu.capabilities()));
        assertTrue(found.capabilities().contains(Capability.DIRECT_STORAGE));
        assertEquals("1.15 in compatibility mode (no nvidia-fs)", found.versions().get("cuFile"));
        host.withNvidiaFs();
        assertEquals("1.15 with nvidia-fs", ((Probe.Available) working().probe()).versions().get("cuFile"));
        assertEquals(0, cuFile.calls("cuFileDriverOpen"), "the probe opened the driver");
    }

    @Test
    void old_libraries_do_not_know_their_version() {
        cuFile.fail("cuFileGetVersion", Integer.MAX_VALUE, 0);
        assertTrue(((Probe.Available) working().probe()).versions().get("cuFile").startsWith("before 1.8"));
        cuFile.fail("cuFileGetVersion", 5030, 0);
        assertTrue(((Probe.Available) working().probe()).versions().get("cuFile").startsWith("unknown (status 5030)"));
    }

    @Test
    void without_a_device_the_library_is_not_looked_for() {
        FaultyBackendProvider none = new FaultyBackendProvider(new CpuBackendProvider(), FaultPlan.seeded(1));
        BackendProvider cuda = new BackendProvider() {
            @Override
            public String name() {
                return "cuda";
            }

            @Override
            public String deviceType() {
                return "cuda";
            }

            @Override
            public int priority() {
                return 100;
            }

            @Override
            public Probe probe() {
                return new Probe.Unavailable("there is no driver");
            }

            @Override
            public Backend open(Device device, BackendOptions options) {
                return none.open(device, options);
            }
        };
        Probe.Unavailable missing = assertInstanceOf(Probe.Unavailable.class, provider(cuda, () -> {
            throw new AssertionError("looked for");
        }).probe());
        assertEquals("it needs the backend cuda: there is no driver", missing.reason());
    }

    @Test
    void a_library_that_cannot_be_used_is_a_reason() {
        UnsupportedFeatureException why = new UnsupportedFeatureException("native library not found; tried a, b",
                Where.nowhere());
        for (Throwable obstacle : new Throwable[] {why, new ExceptionInInitializerError(why),
            new IllegalCallerException("no native access"), new NoClassDefFoundError("CuFileFfm")}) {
            CuFileLibrary library = CuFileLibrary.find(() -> {
                throw GdsBackendProviderTest.<RuntimeException>sneaky(obstacle);
            });
            GdsBackendProvider provider = provider(new CpuBackendProvider(), () -> library);
            Probe.Unavailable missing = assertInstanceOf(Probe.Unavailable.class, provider.probe());
            assertTrue(missing.reason().startsWith("libcufile cannot be used: "), missing::reason);
            assertTrue(missing.cause().isPresent());
            UnsupportedFeatureException refused = assertThrows(UnsupportedFeatureException.class,
                    () -> provider.open(Device.CPU, BackendOptions.defaults()));
            assertEquals("cuda-gds", refused.where().backend());
        }
    }

    @SuppressWarnings("unchecked")
    private static <T extends Throwable> T sneaky(Throwable obstacle) throws T {
        throw (T) obstacle;
    }

    @Test
    void opening_fails_under_its_own_name() {
        BackendException refused = assertThrows(BackendException.class,
                () -> working().open(new Device("cpu", 7), BackendOptions.defaults()));
        assertEquals("cuda-gds", refused.where().backend());
    }

    @Test
    void memory_runs_out_under_its_own_name() {
        FaultyBackendProvider poor = new FaultyBackendProvider(new CpuBackendProvider(),
                FaultPlan.seeded(1).fail(Operation.ALLOCATE, 1).fail(Operation.ALLOCATE_STAGING, 1));
        CuFileLibrary library = CuFileLibrary.find(() -> cuFile);
        try (Backend backend = provider(poor, () -> library).open(Device.CPU, BackendOptions.defaults())) {
            assertEquals("cuda-gds", backend.name());
            assertEquals("cuda-gds", assertThrows(OutOfDeviceMemoryException.class, () -> backend.allocate(10, 1))
                    .where().backend());
            assertEquals("cuda-gds", assertThrows(OutOfDeviceMemoryException.class, () -> backend.allocateStaging(10))
                    .where().backend());
        }
        assertEquals(0, poor.objects().total());
        assertFalse(cuFile.calls("cuFileDriverOpen") > 0, "opening and closing the backend opened the driver");
    }
}
