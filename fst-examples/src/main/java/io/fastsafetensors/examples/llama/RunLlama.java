package io.fastsafetensors.examples.llama;

import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.types.DType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Stream;

/// Loads a checkpoint and lets it continue a prompt of token numbers.
public final class RunLlama {
    private RunLlama() {
    }

    /// `RunLlama [DIRECTORY [TOKEN...]]`: a directory with `config.json` and `.safetensors` files of a Llama-type model,
    /// and the prompt. Without a directory, a small model of random weights is written first.
    public static void main(String[] args) throws IOException {
        int[] prompt = args.length > 1 ? Stream.of(args).skip(1).mapToInt(Integer::parseInt).toArray() : new int[] {1};
        if (args.length > 0) {
            run(Path.of(args[0]), prompt);
            return;
        }
        Path directory = Files.createTempDirectory("llama");
        try {
            RandomLlama.write(directory, new LlamaConfig(256, 4, 8, 2, 32, 10_000, 1e-5, false), 1000, 704, DType.BF16,
                    1, WriteOptions.defaults());
            run(directory, prompt);
        } finally {
            Files.delete(directory.resolve("model.safetensors"));
            Files.delete(directory.resolve("config.json"));
            Files.delete(directory);
        }
    }

    private static void run(Path directory, int[] prompt) {
        LlamaConfig config = LlamaConfig.read(directory.resolve("config.json"));
        try (Loader loader = Loader.builder().device("cpu").build(); Weights weights = loader.load(directory)) {
            Llama model = new Llama(weights, config);
            System.out.println(weights.stats());
            int count = 16;
            long start = System.nanoTime();
            int[] tokens = model.generate(prompt, count);
            double seconds = (System.nanoTime() - start) / 1e9;
            System.out.printf("%s -> %s%n%.1f tokens/s%n", Arrays.toString(prompt), Arrays.toString(tokens),
                    (prompt.length + count) / seconds);
        }
    }
}
