package io.fastsafetensors.core.select;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.BackendChoice.Rejected;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.core.select.Providers.FoundBackend;
import io.fastsafetensors.error.BackendUnavailableException;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.spi.DeviceKind;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.types.Device;
import java.lang.reflect.Proxy;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class BackendSelectorTest {
    private static final BackendProvider CPU = new Scripted("cpu", 0, DeviceKind.CPU);
    private static final BackendProvider POCL = new Scripted("opencl", 50, DeviceKind.CPU);
    private static final BackendProvider GPU = new Scripted("cuda", 100, DeviceKind.GPU);
    private static final BackendProvider BROKEN = new Scripted("rocm", 100);

    /// @param deviceType also its name
    private record Scripted(String deviceType, int priority, DeviceKind... kinds) implements BackendProvider {
        @Override
        public String name() {
            return deviceType;
        }

        @Override
        public Probe probe() {
            return kinds.length == 0 ? new Probe.Unavailable("no driver")
                    : new Probe.Available(Stream.iterate(0, i -> i < kinds.length, i -> i + 1).map(
                            i -> new DeviceInfo(new Device(deviceType, i), kinds[i], "model " + i, 1, -1, Map.of()))
                            .toList(), Set.of(), Map.of());
        }

        @Override
        public Backend open(Device device, BackendOptions options) {
            return (Backend) Proxy.newProxyInstance(Backend.class.getClassLoader(), new Class<?>[] {Backend.class},
                    (_, _, _) -> null);
        }
    }

    private static BackendSelector.Selected select(String device, BackendProvider... bestFirst) {
        BackendSelector.Selected selected = BackendSelector.open(
                Stream.of(bestFirst).map(p -> FoundBackend.of(p.getClass().getName(), p)).toList(),
                Loader.builder().device(Device.parse(device)).options());
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
    void gpu_is_never_a_processor() {
        BackendProvider both = new Scripted("opencl", 50, DeviceKind.GPU, DeviceKind.CPU);
        assertEquals(new Device("opencl", 0), select("gpu:0", both, CPU).device());
        BackendUnavailableException e =
                assertThrows(BackendUnavailableException.class, () -> select("gpu:1", both, CPU));
        assertTrue(e.getMessage().contains("opencl: its device opencl:1 is a processor, model 1"), e.getMessage());
    }

    @Test
    void a_processor_behind_a_driver_is_there_for_who_asks_for_it() {
        assertEquals(new Device("opencl", 0), select("opencl:0", POCL, CPU).device());
    }
}
