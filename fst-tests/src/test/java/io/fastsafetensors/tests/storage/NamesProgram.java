package io.fastsafetensors.tests.storage;

import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.error.FstException;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.Shape;
import java.lang.foreign.ValueLayout;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// Writes or loads checkpoints by URIs, under whatever locale it is started, and prints the first byte of each tensor.
final class NamesProgram {
    private NamesProgram() {
    }

    /// @param args `write` or `load`, then `file:` URIs or relative paths
    public static void main(String[] args) {
        for (String argument : List.of(args).subList(1, args.length)) {
            Path path = argument.startsWith("file:") ? Path.of(URI.create(argument)) : Path.of(argument);
            try {
                if (args[0].equals("write")) {
                    Safetensors.write(path, List.of(TensorSource.of("t", DType.U8, Shape.of(1),
                            channel -> channel.write(ByteBuffer.wrap(new byte[] {7})))), WriteOptions.defaults());
                } else {
                    load(Location.of(path));
                }
            } catch (FstException e) {
                System.out.println(e);
            }
        }
    }

    private static void load(Location location) {
        List<Integer> values = new ArrayList<>();
        try (Loader loader = Loader.builder().build(); Weights weights = loader.load(location)) {
            weights.names()
                    .forEach(name -> values.add((int) weights.get(name).segment().get(ValueLayout.JAVA_BYTE, 0)));
            weights.awaitAll();
        }
        System.out.println(values.size() > 10 ? values.size() + " tensors" : values.toString());
    }
}
