package io.fastsafetensors.examples.jlama;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.github.tjake.jlama.model.AbstractModel;
import com.github.tjake.jlama.model.AbstractModel.InferenceType;
import com.github.tjake.jlama.model.DistributedContext;
import com.github.tjake.jlama.model.ModelSupport;
import com.github.tjake.jlama.model.llama.LlamaConfig;
import com.github.tjake.jlama.math.ActivationFunction;
import com.github.tjake.jlama.safetensors.DType;
import com.github.tjake.jlama.safetensors.SafeTensorSupport;
import com.github.tjake.jlama.safetensors.WeightLoader;
import com.github.tjake.jlama.safetensors.prompt.PromptContext;
import com.github.tjake.jlama.tensor.AbstractTensor;
import com.github.tjake.jlama.tensor.SegmentedTensor;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.types.Shape;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.UUID;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Jlama over fst computes what it computes over its own loader, in the same JVM.
// WeightLoader.close() may throw anything.
@SuppressWarnings({"rawtypes", "try"})
class FstWeightsTest {
    private static final int HIDDEN = 128;
    private static final int WIDE = 256;
    private static final int HEADS = 4;
    private static final int KEYS = 2;
    private static final int VOCABULARY = 320;
    private static final int TOKENS = 38;

    @TempDir
    private Path directory;
    private final SplittableRandom random = new SplittableRandom(17);
    private final List<TensorSource> tensors = new ArrayList<>();

    private void add(String name, int... shape) {
        long[] dimensions = IntStream.of(shape).asLongStream().toArray();
        float[] values = new float[IntStream.of(shape).reduce(1, (a, b) -> a * b)];
        for (int i = 0; i < values.length; i++) {
            values[i] = shape.length == 1 ? 1 : (float) (random.nextGaussian() / Math.sqrt(shape[1]));
        }
        tensors.add(TensorSource.of(name, Shape.of(dimensions), values));
    }

    /// A model of random weights, in two shards of BF16, with a tokenizer that has a token for each character.
    @BeforeEach
    void write() throws IOException {
        add("model.embed_tokens.weight", VOCABULARY, HIDDEN);
        for (int i = 0; i < 2; i++) {
            String layer = "model.layers." + i + ".";
            add(layer + "input_layernorm.weight", HIDDEN);
            add(layer + "self_attn.q_proj.weight", HIDDEN, HIDDEN);
            add(layer + "self_attn.k_proj.weight", HIDDEN * KEYS / HEADS, HIDDEN);
            add(layer + "self_attn.v_proj.weight", HIDDEN * KEYS / HEADS, HIDDEN);
            add(layer + "self_attn.o_proj.weight", HIDDEN, HIDDEN);
            add(layer + "post_attention_layernorm.weight", HIDDEN);
            add(layer + "mlp.gate_proj.weight", WIDE, HIDDEN);
            add(layer + "mlp.up_proj.weight", WIDE, HIDDEN);
            add(layer + "mlp.down_proj.weight", HIDDEN, WIDE);
        }
        add("model.norm.weight", HIDDEN);
        add("lm_head.weight", VOCABULARY, HIDDEN);
        Path floats = Files.createDirectory(directory.resolve("floats"));
        Safetensors.write(floats, tensors, WriteOptions.defaults().withMaxShardBytes(600_000));
        try (Loader loader = Loader.builder().dtype(io.fastsafetensors.types.DType.BF16).build()) {
            loader.rewrite(floats, Files.createDirectory(model()), WriteOptions.defaults().withKeepFiles(true));
        }
        // Without it Jlama does not quantise.
        Files.writeString(model().resolve("README.md"), "");
        Files.writeString(model().resolve("config.json"), """
                {"model_type": "llama", "max_position_embeddings": 256, "hidden_size": %d, "intermediate_size": %d,
                 "num_attention_heads": %d, "num_key_value_heads": %d, "num_hidden_layers": 2, "rms_norm_eps": 1e-5,
                 "vocab_size": %d, "bos_token_id": 1, "eos_token_id": 2, "hidden_act": "silu", "rope_theta": 10000.0}
                """.formatted(HIDDEN, WIDE, HEADS, KEYS, VOCABULARY));
        String vocabulary = IntStream.range(0, VOCABULARY)
                .mapToObj(i -> "\"\\u%04x\": %d".formatted(0x4e00 + i, i)).collect(Collectors.joining(", "));
        Files.writeString(model().resolve("tokenizer.json"), """
                {"model": {"type": "BPE", "fuse_unk": false, "byte_fallback": false, "vocab": {%s}, "merges": []}}
                """.formatted(vocabulary));
    }

    private Path model() {
        return directory.resolve("model");
    }

    private static String generate(Path directory, Function<File, WeightLoader> loader) throws Exception {
        StringBuilder tokens = new StringBuilder();
        try (AbstractModel model = ModelSupport.loadModel(InferenceType.FULL_GENERATION, directory.toFile(), null,
                DType.F32, DType.F32, Optional.empty(), Optional.empty(), Optional.empty(), loader)) {
            model.generate(UUID.randomUUID(), PromptContext.of("\u4e10\u4e20\u4e33"), 0, TOKENS,
                    (token, _) -> tokens.append(token));
        }
        return tokens.toString();
    }

    private static void assertSameTokens(Path model) throws Exception {
        String expected = generate(model, SafeTensorSupport::loadWeights);
        assertTrue(expected.length() > TOKENS / 2, expected);
        try (FstWeights weights = FstWeights.open(model.toFile())) {
            assertEquals(expected, generate(model, _ -> weights));
        }
    }

    @Test
    void it_writes_the_same_tokens_as_over_jlamas_own_loader() throws Exception {
        assertSameTokens(model());
    }

    @Test
    void files_that_jlama_quantised_are_read() throws Exception {
        Path quantised =
                SafeTensorSupport.quantizeModel(model(), DType.Q4, new String[] {"model.embed_tokens", "lm_head"},
                        new String[0], Optional.of(directory.resolve("quantised")));
        String expected = generate(quantised, SafeTensorSupport::loadWeights);
        assertFalse(expected.isEmpty());
        try (FstWeights weights = FstWeights.open(quantised.toFile())) {
            assertEquals(DType.Q4, weights.tensorInfoMap().get("model.layers.0.self_attn.q_proj.weight").dType);
            assertEquals(expected, generate(quantised, _ -> weights));
        }
    }

    @Test
    void no_byte_is_copied() {
        try (FstWeights weights = FstWeights.open(model().toFile())) {
            AbstractTensor tensor = weights.load("lm_head.weight");
            AbstractTensor again = weights.load("lm_head.weight");
            assertEquals(weights.addressOf("lm_head.weight"), tensor.getMemorySegment().address());
            assertEquals(tensor.getMemorySegment().address(), again.getMemorySegment().address());
        }
    }

    @Test
    void a_rank_gets_its_rows_and_columns() throws Exception {
        LlamaConfig config = new LlamaConfig(256, HIDDEN, WIDE, HEADS, KEYS, 2, 1e-5f, VOCABULARY, 1, 2,
                ActivationFunction.Type.SILU, 10000.0, null);
        try (WeightLoader own = SafeTensorSupport.loadWeights(model().toFile());
                FstWeights weights = FstWeights.open(model().toFile())) {
            for (int rank = 0; rank < 2; rank++) {
                DistributedContext context =
                        DistributedContext.builder(config).setModelShard(rank).setNumModelShards(2).build();
                for (boolean rows : new boolean[] {true, false}) {
                    AbstractTensor expected = own.load("model.layers.0.mlp.gate_proj.weight", context, rows, !rows);
                    AbstractTensor found = weights.load("model.layers.0.mlp.gate_proj.weight", context, rows, !rows);
                    assertEquals(expected.shape(), found.shape());
                    int row = rows ? context.getShardOffsetForLength(WIDE) : 0;
                    int column = rows ? 0 : context.getShardOffsetForLength(HIDDEN);
                    for (int i = 0; i < 8; i++) {
                        assertEquals(expected.get(row + i, column + i), found.get(row + i, column + i));
                    }
                }
            }
        }
    }

    @Test
    void a_matrix_beyond_a_buffers_size_is_one_tensor_of_several() throws Exception {
        try (FstWeights whole = FstWeights.open(model().toFile());
                FstWeights cut = new FstWeights(model().toFile(), 40_000)) {
            AbstractTensor expected = whole.load("lm_head.weight");
            AbstractTensor found = cut.load("lm_head.weight");
            assertTrue(found instanceof SegmentedTensor, found::toString);
            for (int row = 0; row < VOCABULARY; row++) {
                // What Jlama does with such a tensor, which is an embedding, is to look up rows.
                assertEquals(expected.slice(row).get(0, row % HIDDEN), found.slice(row).get(0, row % HIDDEN));
            }
        }
    }
}
