package io.fastsafetensors.backend.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.backend.cpu.mpi.MpiProvider;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.OutOfDeviceMemoryException;
import io.fastsafetensors.group.ProcessGroupProvider;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.Capability;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.spi.SystemMemory;
import io.fastsafetensors.types.Device;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.module.ModuleDescriptor;
import java.net.URL;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

class CpuBackendProviderTest {
    private final CpuBackendProvider provider = new CpuBackendProvider();

    @Test
    void probe_says_what_the_machine_is() {
        Probe.Available probe = assertInstanceOf(Probe.Available.class, provider.probe());
        assertEquals(Device.CPU, probe.devices().getFirst().device());
        assertEquals(1, probe.devices().size());
        assertEquals(Set.of(Capability.HOST_ADDRESSABLE, Capability.KERNELS, Capability.POINTERS),
                probe.capabilities());
        assertTrue(probe.versions().containsKey("memory"), probe.toString());
        assertEquals("cpu", provider.name());
        assertEquals("cpu", provider.deviceType());
        assertEquals(0, provider.priority());
    }

    @Test
    @Tag("native")
    @EnabledOnOs(OS.LINUX)
    void linux_maps_memory() {
        Probe.Available probe = (Probe.Available) provider.probe();
        assertTrue(probe.versions().get("memory").startsWith("anonymous mappings"), probe.toString());
        assertTrue(probe.devices().getFirst().totalBytes() > 0);
    }

    @Test
    void big_endian_machines_are_not_served() {
        Probe probe = CpuBackendProvider.probe(ByteOrder.BIG_ENDIAN);
        assertTrue(((Probe.Unavailable) probe).reason().contains("big-endian"));
        assertEquals(Optional.empty(), HostFacts.obstacle(ByteOrder.LITTLE_ENDIAN));
    }

    @Test
    void other_devices_are_not_opened() {
        for (String device : new String[] {"cuda:0", "cpu:1"}) {
            BackendException e = assertThrows(BackendException.class,
                    () -> provider.open(Device.parse(device), BackendOptions.defaults()));
            assertTrue(e.getMessage().contains(device), e.getMessage());
        }
    }

    @Test
    void other_systems_use_the_jdk() {
        HostMemory memory = HostFacts.chooseMemory("Plan 9");
        assertTrue(memory.description().contains("Plan 9"), memory.description());
        for (long bytes : new long[] {0, 1, 10_000}) {
            HostMemory.Block block = memory.take(bytes, 4096);
            assertEquals(bytes, block.segment().byteSize());
            assertEquals(0, block.segment().address() % 4096);
            MemorySegment kept = block.segment().fill((byte) 1);
            block.arena().close();
            block.release().run();
            assertThrows(IllegalStateException.class, () -> kept.fill((byte) 2));
        }
        SystemMemory unknown = new SystemMemory(Path.of("no such file"));
        OutOfDeviceMemoryException e = assertThrows(OutOfDeviceMemoryException.class,
                () -> new JdkMemory("a test wants it", unknown).take(1L << 60, 64));
        assertEquals(1L << 60, e.requested());
        assertEquals(-1, e.free());
        assertThrows(OutOfDeviceMemoryException.class, () -> memory.take(Long.MAX_VALUE, 1L << 62));
    }

    /// The class path and the module path find the same providers.
    @Test
    void service_files_and_module_agree() {
        ClassLoader loader = CpuBackendProvider.class.getClassLoader();
        ModuleDescriptor module = loader.resources("module-info.class").map(CpuBackendProviderTest::read)
                .filter(m -> m.name().equals("io.fastsafetensors.backend.cpu")).findFirst().orElseThrow();
        Map<String, List<String>> provided = new TreeMap<>();
        module.provides().forEach(each -> provided.put(each.service(), each.providers()));
        assertEquals(Map.of(BackendProvider.class.getName(), List.of(CpuBackendProvider.class.getName()),
                ProcessGroupProvider.class.getName(), List.of(MpiProvider.class.getName())), provided);
        provided.forEach((service, providers) -> assertTrue(loader.resources("META-INF/services/" + service)
                .map(CpuBackendProviderTest::text).toList().containsAll(providers), service));
    }

    private static String text(URL url) {
        try (InputStream in = url.openStream()) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8).strip();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static ModuleDescriptor read(URL url) {
        try (InputStream in = url.openStream()) {
            return ModuleDescriptor.read(in);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
