package io.fastsafetensors.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.backend.cuda.driver.CudaDriver;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.gpu.PciBus;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.Capability;
import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.spi.DeviceKind;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.types.Device;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The probe's answers with the driver, without it, and with one that fails.
class CudaBackendProviderTest {
    private final ScriptedDriver driver = new ScriptedDriver();

    private static String reason(Supplier<CudaDriver> loader) {
        Probe probe = CudaMachine.find(loader, new PciBus(Path.of("/nowhere")), Map::of).probe();
        return assertInstanceOf(Probe.Unavailable.class, probe).reason();
    }

    private Probe.Available available(PciBus pci) {
        Probe probe = CudaMachine.find(() -> driver, pci, () -> Map.of("jcuda", "12.6.0")).probe();
        return assertInstanceOf(Probe.Available.class, probe);
    }

    @Test
    void devices_are_described_without_a_context(@TempDir Path sys) throws IOException {
        Path device = Files.createDirectories(sys.resolve("0000:3b:00.0"));
        Files.writeString(device.resolve("numa_node"), "1\n");
        Files.writeString(device.resolve("current_link_speed"), "2.5 GT/s PCIe\n");
        Files.writeString(device.resolve("current_link_width"), "16\n");
        Files.writeString(device.resolve("max_link_speed"), "32.0 GT/s PCIe\n");
        Files.writeString(device.resolve("max_link_width"), "16\n");
        driver.devices = 2;
        Probe.Available probe = available(new PciBus(sys));
        assertEquals(List.of(
                new DeviceInfo(new Device("cuda", 0), DeviceKind.GPU, "Scripted 0", ScriptedDriver.TOTAL, 1,
                        Map.of("PCI bus", "0000:3B:00.0", "compute capability", "9.0", "multiprocessors", "132",
                                "driver", "CUDA 12.4", "PCI link",
                                "2.5 GT/s PCIe x16 (at most 32.0 GT/s PCIe x16)"))
                        .withDlpackTypes(2),
                new DeviceInfo(new Device("cuda", 1), DeviceKind.GPU, "Scripted 1", ScriptedDriver.TOTAL, -1,
                        Map.of("PCI bus", "0000:3B:01.0", "compute capability", "9.0", "multiprocessors", "132",
                                "driver", "CUDA 12.4"))
                        .withDlpackTypes(2)),
                probe.devices());
        assertEquals(Set.of(Capability.KERNELS, Capability.ASYNCHRONOUS_COPIES, Capability.POINTERS,
                Capability.HOST_REGISTRATION), probe.capabilities());
        assertEquals(Map.of("driver", "CUDA 12.4", "jcuda", "12.6.0"), probe.versions());
        assertEquals(0, driver.count("cuDevicePrimaryCtxRetain"));
        assertEquals(0, driver.count("cuCtxPushCurrent"));
    }

    @Test
    void a_link_is_told_as_far_as_it_is_known(@TempDir Path sys) throws IOException {
        Path device = Files.createDirectories(sys.resolve("0000:3b:00.0"));
        PciBus pci = new PciBus(sys);
        assertTrue(pci.link("0000:3B:00.0").isEmpty());
        Files.writeString(device.resolve("numa_node"), "some");
        assertEquals(-1, pci.numaNode("0000:3B:00.0"));
        Files.writeString(device.resolve("current_link_speed"), "16.0 GT/s PCIe\n");
        Files.writeString(device.resolve("current_link_width"), "8\n");
        assertEquals("16.0 GT/s PCIe x8", pci.link("0000:3B:00.0").orElseThrow());
        Files.writeString(device.resolve("max_link_speed"), "16.0 GT/s PCIe\n");
        Files.writeString(device.resolve("max_link_width"), "8\n");
        assertEquals("16.0 GT/s PCIe x8", pci.link("0000:3B:00.0").orElseThrow());
        Files.writeString(device.resolve("current_link_speed"), "Unknown\n");
        assertEquals("16.0 GT/s PCIe x8", pci.link("0000:3B:00.0").orElseThrow());
    }

    @Test
    void an_old_driver_is_told_by_its_version() {
        driver.version = 11_080;
        assertTrue(reason(() -> driver).startsWith("the NVIDIA driver is too old: it supports CUDA 11.8"));
        assertEquals(0, driver.count("cuInit"));
    }

    @Test
    void a_driver_without_devices_is_not_available() {
        driver.devices = 0;
        assertTrue(reason(() -> driver).startsWith("no NVIDIA device is visible"));
    }

    @Test
    void whatever_fails_while_probing_is_the_reason() {
        new ScriptedDriver();
        CudaMachine.find(() -> driver, PciBus.OF_LINUX, Map::of);
        for (int nth = 1; nth <= driver.calls.size(); nth++) {
            ScriptedDriver failing = new ScriptedDriver();
            failing.fail("*", nth, 100);
            String reason = reason(() -> failing);
            assertTrue(reason.startsWith("libcuda: " + driver.calls.get(nth - 1)
                    + " failed with 100 (CUDA_ERROR_NO_DEVICE: no NVIDIA device is visible"), reason);
        }
    }

    @Test
    void whatever_keeps_the_driver_from_loading_is_the_reason() {
        assertTrue(reason(() -> {
            throw new NoClassDefFoundError("jcuda/driver/JCudaDriver");
        }).contains("add the jars org.jcuda:jcuda and org.jcuda:jcuda-natives"));
        assertTrue(reason(() -> {
            throw new IllegalCallerException("no native access");
        }).startsWith("no native access; run with --enable-native-access=ALL-UNNAMED"));
        assertEquals("out of luck", reason(() -> {
            throw new IllegalStateException("out of luck");
        }));
    }

    @Test
    void other_systems_are_told_what_is_served() {
        assertTrue(CudaMachine.obstacle("Linux", "amd64").isEmpty());
        assertEquals("CUDA devices are served on Linux on x86-64, and this is Windows 11 on amd64",
                CudaMachine.obstacle("Windows 11", "amd64").orElseThrow());
        assertTrue(CudaMachine.obstacle("Linux", "aarch64").isPresent());
    }

    @Test
    void a_device_that_is_not_there_is_refused_with_those_that_are() {
        CudaMachine machine = Scripted.machine(driver);
        CudaBackendProvider provider = new CudaBackendProvider(() -> machine);
        for (Device wrong : List.of(new Device("cuda", 1), new Device("rocm", 0))) {
            BackendException e = assertThrows(BackendException.class,
                    () -> provider.open(wrong, BackendOptions.defaults()));
            assertTrue(e.getMessage().startsWith("no device " + wrong + "; there are cuda:0"), e.getMessage());
        }
        driver.version = 11_000;
        CudaMachine old = Scripted.machine(driver);
        BackendException e = assertThrows(BackendException.class, () -> old.open(new Device("cuda", 0), 0));
        assertTrue(e.getMessage().startsWith("the NVIDIA driver is too old"), e.getMessage());
    }
}
