package io.fastsafetensors.cli;

import io.fastsafetensors.spi.DeviceInfo;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/// Describes a device as its backend reports it: in one sentence, or one fact per line.
///
/// @param device the device
/// @param backend the name of the backend that says it
record DeviceDescription(DeviceInfo device, String backend) {
    /// Everything in a sentence.
    String sentence() {
        List<String> parts = new ArrayList<>(List.of(device.name(), Sizes.human(device.totalBytes())));
        facts().forEach((name, value) -> parts.add(name + " " + value));
        parts.add(through());
        return String.join(", ", parts);
    }

    /// What it is, without the facts.
    String headline() {
        return device.name() + ", " + Sizes.human(device.totalBytes()) + ", " + through();
    }

    /// Prints a line that names the device, and the facts under it, aligned.
    void print(Screen screen) {
        Map<String, String> facts = facts();
        int width = facts.keySet().stream().mapToInt(String::length).max().orElse(0);
        screen.out().println(screen.styled(Screen.Style.STRONG, device.device() + " " + headline()));
        facts.forEach((name, value) -> screen.out().println("  "
                + screen.styled(Screen.Style.FAINT, SafeText.printable(name) + " ".repeat(width - name.length())) + "  "
                + SafeText.printable(value)));
    }

    private Map<String, String> facts() {
        Map<String, String> facts = new TreeMap<>(device.attributes());
        facts.put("kind", device.kind().name());
        if (device.numaNode() >= 0) {
            facts.put("NUMA node", Integer.toString(device.numaNode()));
        }
        return facts;
    }

    private String through() {
        return "through " + backend;
    }
}
