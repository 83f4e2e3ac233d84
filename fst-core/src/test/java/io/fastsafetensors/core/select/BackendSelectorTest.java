package io.fastsafetensors.core.select;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.BackendChoice.Rejected;
import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.core.select.Providers.FoundBackend;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.BackendUnavailableException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.spi.DeviceKind;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.spi.SpiVersion;
import io.fastsafetensors.types.Device;
import java.lang.reflect.Proxy;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class BackendSelectorTest {
    private static final BackendProvider CPU = new Scripted("cpu", 0, DeviceKind.CPU);
    private static final BackendProvider POCL = new Scripted("opencl", 50, DeviceKind.CPU);
    private static final BackendProvider GPU = new Scripted("cuda", 100, DeviceKind.GPU);
    private static final BackendProvider BROKEN = new Scripted("rocm", 100);

    private static class Scripted implements BackendProvider {
        private final String deviceType;
        private final int priority;
        private final long bytes;
        private final DeviceKind[] kinds;

        /// @param deviceType also its name
        Scripted(String deviceType, int priority, DeviceKind... kinds) {
            this(deviceType, priority, 1, kinds);
        }

        Scripted(String deviceType, int priority, long bytes, DeviceKind... kinds) {
            this.deviceType = deviceType;
            this.priority = priority;
            this.bytes = bytes;
            this.kinds = kinds;
        }

        @Override
        public String name() {
            return deviceType;
        }

        @Override
        public String deviceType() {
            return deviceType;
        }

        @Override
        public int priority() {
            return priority;
        }

        @Override
        public Probe probe() {
            return kinds.length == 0 ? Probe.unavailable("no driver")
                    : Probe.available(IntStream.range(0, kinds.length)
                            .mapToObj(i -> DeviceInfo.of(new Device(deviceType, i), kinds[i], "model " + i)
                                    .withTotalBytes(bytes))
                            .toList());
        }

        @Override
        public Backend open(Device device, BackendOptions options) {
            return (Backend) Proxy.newProxyInstance(Backend.class.getClassLoader(), new Class<?>[] {Backend.class},
                    (_, _, _) -> null);
        }
    }

    private static BackendSelector.Selected select(String device, BackendProvider... bestFirst) {
        return select(Loader.builder().device(Device.parse(device)).options(), bestFirst);
    }

    private static BackendSelector.Selected select(LoadOptions options, BackendProvider... bestFirst) {
        BackendSelector.Selected selected = BackendSelector.open(
                Stream.of(bestFirst).map(p -> FoundBackend.of(p.getClass().getName(), p)).toList(), options);
        selected.backend().release();
        return selected;
    }

    @Test
    void auto_takes_a_graphics_processor_of_the_highest_priority() {
        BackendSelector.Selected selected = select("auto", BROKEN, GPU, POCL, CPU);
        assertEquals(new Device("cuda", 0), selected.device());
        assertEquals(List.of(new Rejected("rocm", "not available: no driver"), new Rejected("opencl", "lower priority"),
                new Rejected("cpu", "lower priority")), selected.choice().rejected());
    }

    @Test
    void auto_takes_an_accelerator_before_a_processor_whatever_their_priorities() {
        assertEquals("npu", select("auto", POCL, CPU, new Scripted("npu", -1, DeviceKind.ACCELERATOR)).choice().name());
    }

    @Test
    void auto_takes_cpu_before_a_processor_behind_a_driver() {
        BackendSelector.Selected selected = select("auto", POCL, CPU);
        assertEquals(Device.CPU, selected.device());
        assertEquals(List.of(new Rejected("opencl", "its device opencl:0 is a processor, model 0")),
                selected.choice().rejected());
    }

    @Test
    void auto_takes_a_processor_behind_a_driver_where_there_is_nothing_else() {
        assertEquals(new Device("opencl", 0), select("auto", POCL).device());
    }

    @Test
    void gpu_is_never_a_processor_nor_an_accelerator() {
        BackendProvider all = new Scripted("opencl", 50, DeviceKind.CPU, DeviceKind.ACCELERATOR, DeviceKind.GPU);
        assertEquals(new Device("opencl", 2), select("gpu", all, CPU).device());
        BackendUnavailableException e =
                assertThrows(BackendUnavailableException.class, () -> select("gpu:1", all, CPU));
        assertTrue(
                e.getMessage().contains("opencl: has 1 graphics processors and no number 1 among [opencl:0 (CPU, model"
                        + " 0), opencl:1 (ACCELERATOR, model 1), opencl:2 (GPU, model 2)]"),
                e.getMessage());
    }

    @Test
    void gpus_are_counted_in_each_backend() {
        BackendProvider two = new Scripted("opencl", 50, DeviceKind.GPU, DeviceKind.CPU, DeviceKind.GPU);
        assertEquals(new Device("cuda", 0), select("gpu:0", GPU, two, CPU).device());
        assertEquals(new Device("opencl", 2), select("gpu:1", GPU, two, CPU).device());
    }

    @Test
    void of_equal_priorities_the_larger_device_is_taken_then_the_first_name() {
        BackendProvider small = new Scripted("acme", 100, 1, DeviceKind.GPU);
        BackendProvider large = new Scripted("zeta", 100, 2, DeviceKind.GPU);
        for (String device : List.of("auto", "gpu")) {
            BackendSelector.Selected selected = select(device, small, GPU, large, CPU);
            assertEquals("zeta", selected.choice().name());
            assertTrue(selected.choice().rejected().contains(new Rejected("acme",
                    "of the same priority as zeta, and its device acme:0 has no more memory")),
                    selected.choice()::toString);
            assertEquals("acme", select(device, GPU, small).choice().name());
            assertEquals("acme", select(device, small, GPU).choice().name());
        }
    }

    @Test
    void a_priority_decides_before_memory_and_the_kind_before_a_priority() {
        BackendProvider large = new Scripted("zeta", 99, 1000, DeviceKind.GPU);
        assertEquals("cuda", select("auto", GPU, large).choice().name());
        BackendProvider processor = new Scripted("other", 1000, 1000, DeviceKind.CPU);
        assertEquals("zeta", select("auto", processor, large).choice().name());
    }

    @Test
    void a_name_restricts_auto_and_gpu() {
        BackendProvider both = new Scripted("opencl", 50, DeviceKind.CPU, DeviceKind.GPU);
        LoadOptions named = Loader.builder().device(Device.AUTO).backend("opencl").options();
        assertEquals(new Device("opencl", 0), select(named, GPU, both, CPU).device());
        named = Loader.builder().device(Device.parse("gpu")).backend("opencl").options();
        assertEquals(new Device("opencl", 1), select(named, GPU, both, CPU).device());
    }

    @Test
    void a_provider_that_cannot_open_makes_way_for_the_next() {
        BackendProvider broken = new Scripted("cuda", 200, DeviceKind.GPU) {
            @Override
            public Backend open(Device device, BackendOptions options) {
                throw new NoSuchMethodError("of long ago");
            }
        };
        BackendSelector.Selected selected = select("auto", broken, POCL, CPU);
        assertEquals(Device.CPU, selected.device());
        assertTrue(selected.choice().rejected().contains(new Rejected("cuda",
                "not available: its open() fails: java.lang.NoSuchMethodError: of long ago (it is made for version 1 of the"
                        + " SPI, and this is version " + SpiVersion.CURRENT + ")")),
                selected.choice()::toString);
        assertThrows(BackendUnavailableException.class, () -> select("cuda:0", broken, CPU));
    }

    @Test
    void a_device_that_cannot_be_opened_is_an_error_and_no_other_is_taken() {
        BackendProvider busy = new Scripted("cuda", 100, DeviceKind.GPU) {
            @Override
            public Backend open(Device device, BackendOptions options) {
                throw new BackendException("the device is busy", Where.backend("cuda"));
            }
        };
        assertThrows(BackendException.class, () -> select("auto", busy, CPU));
    }

    @Test
    void a_provider_of_another_version_is_refused_by_name() {
        BackendProvider later = new Scripted("cuda", 100, DeviceKind.GPU) {
            @Override
            public int spiVersion() {
                return SpiVersion.CURRENT + 1;
            }
        };
        BackendSelector.Selected selected = select("auto", later, CPU);
        assertEquals(Device.CPU, selected.device());
        assertTrue(selected.choice().rejected().getFirst().reason().contains("it is made for version "
                + (SpiVersion.CURRENT + 1) + " of the SPI"), selected.choice()::toString);
    }

    @Test
    void a_processor_behind_a_driver_is_there_for_who_asks_for_it() {
        assertEquals(new Device("opencl", 0), select("opencl:0", POCL, CPU).device());
    }
}
