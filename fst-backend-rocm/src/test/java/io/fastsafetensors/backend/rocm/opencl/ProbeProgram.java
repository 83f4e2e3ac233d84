package io.fastsafetensors.backend.rocm.opencl;

import io.fastsafetensors.spi.Probe;
import java.util.List;

/// Run in a JVM of its own: probes, and prints the number of devices or the reason in one line.
final class ProbeProgram {
    private ProbeProgram() {
    }

    public static void main(String[] arguments) {
        Probe probe = new OpenClBackendProvider().probe();
        System.out.println(probe.found().map(available -> "available " + List.copyOf(available.devices()).size())
                .orElseGet(() -> "unavailable " + probe.obstacle().orElse("")));
    }
}
