package acme.show;

import acme.box.Box;
import acme.metered.MeteredProvider;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.group.ProcessGroups;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Location;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/// Loads a file through each of the samples, and prints what came.
public final class Show {
    private Show() {
    }

    public static void main(String[] arguments) throws IOException {
        Box.put("box://shelf/model.safetensors", Files.readAllBytes(Path.of(arguments[0])));
        for (String backend : List.of("least", "metered", "async")) {
            Device device = new Device(backend.equals("async") ? "async" : "least", 0);
            try (Loader loader = Loader.builder().backend(backend).device(device).dtype(DType.BF16).build();
                    Weights weights = loader.load(Location.of("box://shelf/model.safetensors"))) {
                weights.awaitAll();
                System.out.println(backend + ": " + weights.names() + " on " + loader.device());
            }
        }
        System.out.println("open buffers: " + MeteredProvider.open());
        Device device = new Device("least", 0);
        ProcessGroups.local("board", List.of(device, device), Duration.ofMinutes(1))
                .forEach(group -> {
                    try (group) {
                        System.out.println("rank " + group.rank() + " of " + group.size() + " by " + group.transport());
                    }
                });
    }
}
