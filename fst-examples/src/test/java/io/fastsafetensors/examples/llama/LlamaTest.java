package io.fastsafetensors.examples.llama;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.types.DType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The same checkpoint, continued by the example and by NumPy.
class LlamaTest {
    private static final int[] PROMPT = {3, 14, 15, 92, 65, 35};
    private static final int COUNT = 10;
    private static final int VOCABULARY = 97;
    private static final int WIDE = 88;

    @TempDir
    Path directory;

    private static LlamaConfig config(boolean tiedEmbeddings) {
        return new LlamaConfig(48, 3, 6, 2, 8, 10_000, 1e-5, tiedEmbeddings);
    }

    @Test
    void an_f32_checkpoint_gives_what_numpy_computes() {
        RandomLlama.write(directory, config(false), VOCABULARY, WIDE, DType.F32, 7, WriteOptions.defaults());
        agreesWithNumpy();
    }

    @Test
    void a_sharded_bf16_checkpoint_with_tied_embeddings_gives_what_numpy_computes() throws IOException {
        RandomLlama.write(directory, config(true), VOCABULARY, WIDE, DType.BF16, 8,
                WriteOptions.defaults().withMaxShardBytes(40_000));
        try (Stream<Path> files = Files.list(directory)) {
            assertTrue(files.filter(f -> f.toString().endsWith(".safetensors")).count() > 1, "one file");
        }
        agreesWithNumpy();
    }

    private void agreesWithNumpy() {
        Reference reference = Reference.compute(directory, COUNT, PROMPT);
        try (Loader loader = Loader.builder().device("cpu").build(); Weights weights = loader.load(directory)) {
            Llama model = agrees(reference, weights, 1e-4f);
            assertArrayEquals(reference.tokens(), model.generate(PROMPT, COUNT));
        }
    }

    private Llama agrees(Reference reference, Weights weights, float tolerance) {
        LlamaConfig config = LlamaConfig.read(directory.resolve("config.json"));
        Llama model = new Llama(weights, config);
        KeyValueCache cache = new KeyValueCache(config);
        for (int i = 0; i < PROMPT.length; i++) {
            assertArrayEquals(reference.logits().get(i), model.next(PROMPT[i], cache), tolerance, "position " + i);
        }
        assertEquals(PROMPT.length, cache.length());
        return model;
    }

    @Test
    void a_checkpoint_loaded_as_f16_gives_about_the_same() {
        RandomLlama.write(directory, config(false), VOCABULARY, WIDE, DType.F32, 7, WriteOptions.defaults());
        Reference reference = Reference.compute(directory, 1, PROMPT);
        try (Loader loader = Loader.builder().device("cpu").dtype(DType.F16).build();
                Weights weights = loader.load(directory)) {
            assertEquals(DType.F16, weights.get("lm_head.weight").dtype());
            agrees(reference, weights, 0.02f);
        }
    }

    @Test
    void the_model_reads_the_loaded_memory_itself_and_only_while_it_is_open() {
        RandomLlama.write(directory, config(false), VOCABULARY, WIDE, DType.BF16, 9, WriteOptions.defaults());
        LlamaConfig config = LlamaConfig.read(directory.resolve("config.json"));
        Llama model;
        try (Loader loader = Loader.builder().device("cpu").build(); Weights weights = loader.load(directory)) {
            model = new Llama(weights, config);
            assertTrue(model.next(1, new KeyValueCache(config))[5] != 0);
            weights.get("lm_head.weight").segment().fill((byte) 0);
            assertArrayEquals(new float[VOCABULARY], model.next(1, new KeyValueCache(config)));
        }
        assertThrows(IllegalStateException.class, () -> model.next(1, new KeyValueCache(config)));
    }

    @Test
    void what_the_example_does_not_compute_is_refused() throws IOException {
        Path file = directory.resolve("config.json");
        config(false).write(file);
        assertEquals(config(false), LlamaConfig.read(file));
        String json = Files.readString(file);
        for (String change : new String[] {"\"rope_scaling\":{\"factor\":8}", "\"attention_bias\":true",
            "\"rope_parameters\":{\"rope_type\":\"llama3\"}"}) {
            Files.writeString(file, json.replaceFirst("\\{", "{" + change + ","));
            assertThrows(IllegalArgumentException.class, () -> LlamaConfig.read(file), change);
        }
    }

    @Test
    void a_tensor_of_another_shape_is_named() {
        RandomLlama.write(directory, config(false), VOCABULARY, WIDE, DType.F32, 1, WriteOptions.defaults());
        LlamaConfig other = new LlamaConfig(48, 3, 6, 3, 8, 10_000, 1e-5, false);
        try (Loader loader = Loader.builder().device("cpu").build(); Weights weights = loader.load(directory)) {
            Exception e = assertThrows(IllegalArgumentException.class, () -> new Llama(weights, other));
            assertTrue(String.valueOf(e.getMessage()).contains("model.layers.0.self_attn.k_proj.weight"),
                    e.getMessage());
        }
    }
}
