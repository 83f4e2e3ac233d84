package io.fastsafetensors.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.spi.DeviceKind;
import io.fastsafetensors.types.Device;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class DeviceFactsTest {
    private static final DeviceDescription GPU = new DeviceDescription(
            new DeviceInfo(Device.parse("cuda:0"), DeviceKind.GPU,
                    "NVIDIA H200", 140L << 30, 1, Map.of("PCI bus id", "0000:81:00.0", "link", "PCIe 5.0 x16")),
            "cuda");

    @Test
    void text_output_has_one_fact_per_line() {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        PrintStream out = new PrintStream(bytes, true, StandardCharsets.UTF_8);
        GPU.print(Screen.unwatched(out, out));
        assertEquals(List.of("cuda:0 NVIDIA H200, 140.0 GiB, through cuda", "  NUMA node   1",
                "  PCI bus id  0000:81:00.0", "  kind        GPU", "  link        PCIe 5.0 x16"),
                bytes.toString(StandardCharsets.UTF_8).lines().toList());
    }

    @Test
    void scripts_get_a_sentence() {
        assertEquals("NVIDIA H200, 140.0 GiB, NUMA node 1, PCI bus id 0000:81:00.0, kind GPU, "
                + "link PCIe 5.0 x16, through cuda",
                GPU.sentence());
    }

    @Test
    void a_device_that_hangs_on_no_node_says_nothing_of_it() {
        DeviceInfo device = new DeviceInfo(Device.CPU, DeviceKind.CPU, "a", 1024, -1, Map.of());
        assertEquals("a, 1.00 KiB, kind CPU, through cpu", new DeviceDescription(device, "cpu").sentence());
    }
}
