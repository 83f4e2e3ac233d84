package io.fastsafetensors.backend.cuda.child;

import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.Probe;
import java.util.ServiceLoader;

/// Probes the CUDA backend in a process of its own, and prints what it says.
public final class ProbeProgram {
    private ProbeProgram() {
    }

    public static void main(String[] args) {
        BackendProvider cuda = ServiceLoader.load(BackendProvider.class).stream().map(ServiceLoader.Provider::get)
                .filter(p -> p.name().equals("cuda")).findFirst().orElseThrow();
        System.out.println(switch (cuda.probe()) {
            case Probe.Available available -> "available: " + available.devices().getFirst().name();
            case Probe.Unavailable unavailable -> "unavailable: " + unavailable.reason();
        });
    }
}
