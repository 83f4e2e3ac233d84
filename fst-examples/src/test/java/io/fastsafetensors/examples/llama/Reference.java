package io.fastsafetensors.examples.llama;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.abort;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;

/// What `llama_reference.py` computes of a checkpoint.
///
/// @param logits a score for each token of the vocabulary, at each position of the prompt
/// @param tokens the likeliest continuation
record Reference(List<float[]> logits, int[] tokens) {
    private static final String SCRIPT = "src/test/python/llama_reference.py";

    private record Outcome(int exit, String out) {
        static Outcome of(List<String> command) throws IOException, InterruptedException {
            Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
            String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertTrue(process.waitFor(60, TimeUnit.SECONDS), out);
            return new Outcome(process.exitValue(), out);
        }
    }

    /// Runs the script.
    static Reference compute(Path checkpoint, int count, int[] prompt) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(
                List.of(python(), SCRIPT, checkpoint.toString(), Integer.toString(count)));
        IntStream.of(prompt).mapToObj(Integer::toString).forEach(command::add);
        Outcome outcome = Outcome.of(command);
        assertEquals(0, outcome.exit(), outcome.out());
        List<float[]> logits = new ArrayList<>();
        for (String line : outcome.out().lines().filter(l -> l.startsWith("logits ")).toList()) {
            String[] numbers = line.substring("logits ".length()).split(" ");
            float[] row = new float[numbers.length];
            for (int i = 0; i < row.length; i++) {
                row[i] = Float.parseFloat(numbers[i]);
            }
            logits.add(row);
        }
        assertEquals(prompt.length, logits.size(), outcome.out());
        String tokens = outcome.out().lines().filter(l -> l.startsWith("tokens ")).findFirst().orElseThrow();
        return new Reference(logits,
                Arrays.stream(tokens.substring("tokens ".length()).split(" ")).mapToInt(Integer::parseInt).toArray());
    }

    /// The first Python that has NumPy. Without one the test fails on CI, and is aborted elsewhere.
    private static String python() throws InterruptedException {
        StringBuilder tried = new StringBuilder();
        for (String python : List.of("python3", "/usr/bin/python3")) {
            try {
                Outcome outcome = Outcome.of(List.of(python, "-c", "import numpy"));
                if (outcome.exit() == 0) {
                    return python;
                }
                tried.append(outcome.out());
            } catch (IOException e) {
                tried.append(e.getMessage());
            }
        }
        assertTrue(System.getenv("CI") == null, "CI needs python3 with numpy: " + tried);
        return abort("no python3 with numpy: " + tried);
    }
}
