package io.fastsafetensors.bench.gpu;

import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.Weights;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/// A process that loads some files each time it is told to, and says when it has them. See [LoadProcesses].
///
/// Arguments: the device, the backend or `-`, readers and bytes of a block or 0 each, the files.
public final class LoadWorker {
    private LoadWorker() {
    }

    /// Loads once for each line of standard input.
    public static void main(String[] args) throws IOException {
        LoaderBuilder builder = Loader.builder().device(args[0]).readers(Integer.parseInt(args[2]))
                .blockBytes(Integer.parseInt(args[3]));
        if (!args[1].equals("-")) {
            builder.backend(args[1]);
        }
        List<Path> files = Stream.of(args).skip(4).map(Path::of).toList();
        try (Loader loader = builder.build();
                BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            while (in.readLine() != null) {
                try (Weights weights = loader.load(files)) {
                    weights.awaitAll();
                    System.out.println("done");
                }
            }
        }
    }
}
