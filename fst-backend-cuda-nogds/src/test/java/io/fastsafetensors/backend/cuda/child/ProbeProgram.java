package io.fastsafetensors.backend.cuda.child;

import io.fastsafetensors.spi.BackendProvider;
import java.util.ServiceLoader;

/// Probes the CUDA backend in a process of its own, and prints what it says.
public final class ProbeProgram {
    private ProbeProgram() {
    }

    public static void main(String[] args) {
        BackendProvider cuda = ServiceLoader.load(BackendProvider.class).stream().map(ServiceLoader.Provider::get)
                .filter(p -> p.name().equals("cuda")).findFirst().orElseThrow();
        System.out.println(cuda.probe().found().map(available -> "available: " + available.devices().getFirst().name())
                .orElseGet(() -> "unavailable: " + cuda.probe().obstacle().orElse("")));
    }
}
