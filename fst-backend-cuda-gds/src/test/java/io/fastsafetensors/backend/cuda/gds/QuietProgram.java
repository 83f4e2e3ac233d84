package io.fastsafetensors.backend.cuda.gds;

import io.fastsafetensors.api.Diagnostics;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.Weights;
import java.nio.file.Path;

/// Loads to the CPU with the backend on the path, and says what the backend said of the machine.
final class QuietProgram {
    private QuietProgram() {
    }

    public static void main(String[] arguments) {
        try (Loader loader = Loader.builder().device("cpu").build();
                Weights weights = loader.load(Path.of(arguments[0]))) {
            weights.awaitAll();
            System.out.println(loader.backend().name() + " " + weights.names().size());
        }
        Diagnostics.backends().stream().filter(b -> b.name().equals(GdsBackendProvider.NAME))
                .forEach(b -> System.out.println(b.name() + " " + b.probe().isAvailable()));
    }
}
