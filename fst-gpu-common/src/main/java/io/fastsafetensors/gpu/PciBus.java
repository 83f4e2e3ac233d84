package io.fastsafetensors.gpu;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;

/// Reads the kernel's description of devices on the PCI bus; containers and virtual machines may hide some of it.
///
/// @param devices `/sys/bus/pci/devices`, or what stands for it
public record PciBus(Path devices) {
    /// The bus of this machine.
    public static final PciBus OF_LINUX = new PciBus(Path.of("/sys/bus/pci/devices"));

    /// The NUMA node of a device, −1 if unknown.
    ///
    /// @param busId such as `0000:3B:00.0`
    public int numaNode(String busId) {
        try {
            return Math.max(-1, Integer.parseInt(read(busId, "numa_node").orElse("-1")));
        } catch (NumberFormatException e) {
            return -1;
        }
    }

    /// Speed and width of a device's link now, and at most: a link slows down while nothing is copied.
    public Optional<String> link(String busId) {
        Optional<String> now = link(busId, "current");
        Optional<String> most = link(busId, "max");
        return most.map(m -> now.map(n -> n.equals(m) ? n : n + " (at most " + m + ")").orElse(m)).or(() -> now);
    }

    private Optional<String> link(String busId, String which) {
        return read(busId, which + "_link_speed").filter(s -> !s.startsWith("Unknown"))
                .flatMap(speed -> read(busId, which + "_link_width").map(width -> speed + " x" + width));
    }

    private Optional<String> read(String busId, String file) {
        try {
            Path path = devices.resolve(busId.toLowerCase(Locale.ROOT)).resolve(file);
            return Optional.of(Files.readString(path, StandardCharsets.US_ASCII).strip());
        } catch (IOException e) {
            return Optional.empty();
        }
    }
}
