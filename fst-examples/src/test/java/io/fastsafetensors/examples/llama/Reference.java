package io.fastsafetensors.examples.llama;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.fastsafetensors.test.ChildProcess;
import io.fastsafetensors.test.Python;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/// The results of `llama_reference.py` for a checkpoint.
///
/// @param logits a score for each token of the vocabulary, at each position of the prompt
/// @param tokens the likeliest continuation
record Reference(List<float[]> logits, int[] tokens) {
    private static final String SCRIPT = "src/test/python/llama_reference.py";

    /// Runs the script.
    static Reference compute(Path checkpoint, int count, int[] prompt) {
        List<Object> command = new ArrayList<>(List.of(Python.withNumPy(), SCRIPT, checkpoint, count));
        IntStream.of(prompt).forEach(command::add);
        ChildProcess.Result result = ChildProcess.of(command.toArray()).run().succeeded();
        List<float[]> logits = new ArrayList<>();
        for (String line : result.out().lines().filter(l -> l.startsWith("logits ")).toList()) {
            String[] numbers = line.substring("logits ".length()).split(" ");
            float[] row = new float[numbers.length];
            for (int i = 0; i < row.length; i++) {
                row[i] = Float.parseFloat(numbers[i]);
            }
            logits.add(row);
        }
        assertEquals(prompt.length, logits.size(), result::toString);
        String tokens = result.out().lines().filter(l -> l.startsWith("tokens ")).findFirst().orElseThrow();
        return new Reference(logits,
                Arrays.stream(tokens.substring("tokens ".length()).split(" ")).mapToInt(Integer::parseInt).toArray());
    }
}
