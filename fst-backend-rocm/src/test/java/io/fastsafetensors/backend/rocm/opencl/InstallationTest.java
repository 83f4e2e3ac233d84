package io.fastsafetensors.backend.rocm.opencl;

import static io.fastsafetensors.backend.rocm.opencl.binding.OpenCl.CL_DEVICE_TYPE_ACCELERATOR;
import static io.fastsafetensors.backend.rocm.opencl.binding.OpenCl.CL_DEVICE_TYPE_CPU;
import static io.fastsafetensors.backend.rocm.opencl.binding.OpenCl.CL_DEVICE_TYPE_GPU;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.backend.rocm.opencl.binding.OpenCl;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.spi.Capability;
import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.spi.DeviceKind;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.types.Device;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;

/// The probe with drivers of many kinds.
class InstallationTest {
    private final FakeDriver driver = new FakeDriver();

    private Probe.Available available() {
        return assertInstanceOf(Probe.Available.class, Installation.find(() -> driver).probe());
    }

    private String reason() {
        return assertInstanceOf(Probe.Unavailable.class, Installation.find(() -> driver).probe()).reason();
    }

    private static FakeDevice gpu(String name) {
        return new FakeDevice(name, CL_DEVICE_TYPE_GPU);
    }

    @Test
    void graphics_processors_come_first_and_platforms_keep_their_order() {
        driver.platforms.add(new FakePlatform("One", new FakeDevice("cpu 1", CL_DEVICE_TYPE_CPU), gpu("gpu 1")));
        driver.platforms.add(new FakePlatform("Two", new FakeDevice("card", CL_DEVICE_TYPE_ACCELERATOR),
                gpu("gpu 2"), gpu("gpu 3")));
        List<DeviceInfo> devices = available().devices();
        assertEquals(List.of("gpu 1", "gpu 2", "gpu 3", "card", "cpu 1"),
                devices.stream().map(DeviceInfo::name).toList());
        for (int i = 0; i < devices.size(); i++) {
            assertEquals(new Device("opencl", i), devices.get(i).device());
        }
        assertEquals("One", devices.getFirst().attributes().get("platform"));
        assertEquals("Two", devices.get(1).attributes().get("platform"));
    }

    @Test
    void a_device_says_what_people_ask_for() {
        driver.platforms.add(new FakePlatform("One", gpu("gpu")));
        Probe.Available probe = available();
        DeviceInfo info = probe.devices().getFirst();
        assertEquals(FakeDevice.TOTAL, info.totalBytes());
        assertEquals(-1, info.numaNode());
        assertEquals(Set.of("platform", "vendor", "version", "driver", "largest buffer", "base alignment"),
                info.attributes().keySet());
        assertEquals(DeviceKind.GPU, info.kind());
        assertEquals(FakeDevice.LARGEST + " bytes", info.attributes().get("largest buffer"));
        assertEquals("128 bytes", info.attributes().get("base alignment"));
        assertEquals(Set.of(Capability.KERNELS, Capability.ASYNCHRONOUS_COPIES), probe.capabilities());
        assertEquals("OpenCL 3.0 fake", probe.versions().get("One"));
    }

    @Test
    void devices_that_cannot_be_used_are_left_out_and_named() {
        driver.platforms.add(new FakePlatform("One",
                gpu("old").with(OpenCl.CL_DEVICE_VERSION, FakeDevice.text("OpenCL 1.1 vendor")),
                gpu("odd").with(OpenCl.CL_DEVICE_VERSION, FakeDevice.text("what")),
                gpu("off").with(OpenCl.CL_DEVICE_AVAILABLE, FakeDevice.small(0)),
                gpu("mute").with(OpenCl.CL_DEVICE_COMPILER_AVAILABLE, FakeDevice.small(0)),
                gpu("big").with(OpenCl.CL_DEVICE_ENDIAN_LITTLE, FakeDevice.small(0))));
        String reason = reason();
        for (String expected : List.of("One", "old has OpenCL 1.1", "odd has what", "off is not available",
                "mute has no compiler", "big is big-endian")) {
            assertTrue(reason.contains(expected), reason);
        }
    }

    @Test
    void what_fails_does_not_hide_what_works() {
        driver.platforms.add(new FakePlatform("Broken", gpu("a").without(OpenCl.CL_DEVICE_NAME),
                gpu("b").without(OpenCl.CL_DEVICE_GLOBAL_MEM_SIZE)));
        driver.platforms.add(new FakePlatform("Empty"));
        driver.platforms.add(new FakePlatform("Whole", gpu("c").without(OpenCl.CL_DEVICE_TYPE), gpu("d")));
        assertEquals(List.of("d"), available().devices().stream().map(DeviceInfo::name).toList());
        assertEquals(Device.parse("opencl:0"), available().devices().getFirst().device());
    }

    @Test
    void without_a_platform_the_reason_says_what_to_install() {
        assertTrue(reason().contains("driver (ICD)"), reason());
    }

    @Test
    void a_platform_without_a_device_is_named() {
        driver.platforms.add(new FakePlatform("Lonely"));
        assertTrue(reason().contains("Lonely"), reason());
    }

    @Test
    void a_loader_that_fails_is_quoted() {
        driver.platforms.add(new FakePlatform("One", gpu("a")));
        driver.fail("clGetPlatformIDs", -6);
        assertTrue(reason().contains("clGetPlatformIDs"), reason());
        assertTrue(reason().contains("CL_OUT_OF_HOST_MEMORY"), reason());
    }

    @Test
    void a_library_that_does_not_load_is_a_reason() {
        List<Supplier<OpenCl>> broken = List.of(() -> {
            throw new UnsatisfiedLinkError("libOpenCL.so.1: no\nsecond line");
        }, () -> {
            throw new NoClassDefFoundError();
        }, () -> {
            throw new IllegalCallerException("native access");
        });
        for (Supplier<OpenCl> library : broken) {
            Probe.Unavailable probe =
                    assertInstanceOf(Probe.Unavailable.class, Installation.find(library).probe());
            assertTrue(probe.reason().startsWith("OpenCL cannot be loaded: "), probe.reason());
            assertTrue(probe.reason().lines().count() == 1 && !probe.reason().endsWith("null"), probe.reason());
            assertTrue(probe.cause().isPresent());
        }
    }

    @Test
    void only_listed_devices_are_opened() {
        driver.platforms.add(new FakePlatform("One", gpu("mine")));
        Installation installation = Installation.find(() -> driver);
        for (String device : List.of("opencl:1", "cuda:0")) {
            BackendException e = assertThrows(BackendException.class, () -> installation.open(Device.parse(device)));
            assertTrue(e.getMessage().contains(device) && e.getMessage().contains("opencl:0 (mine)"), e.getMessage());
            assertEquals("opencl", e.where().backend());
        }
        BackendException e = assertThrows(BackendException.class,
                () -> Installation.find(FakeDriver::new).open(Device.parse("opencl:0")));
        assertTrue(e.getMessage().contains("driver (ICD)"), e.getMessage());
    }
}
