package io.fastsafetensors.examples.llama;

import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;

/// Writes a checkpoint of random weights in the layout of Hugging Face: a `config.json` next to `.safetensors` files.
/// The same seed makes the same weights.
final class RandomLlama {
    private final LlamaConfig config;
    private final DType dtype;
    private final RandomGenerator random;
    private final List<TensorSource> tensors = new ArrayList<>();

    private RandomLlama(LlamaConfig config, DType dtype, long seed) {
        this.config = config;
        this.dtype = dtype;
        this.random = new SplittableRandom(seed);
    }

    /// Writes the checkpoint into a directory; with a shard size in the options, as several files and an index.
    ///
    /// @param vocabulary how many tokens there are
    /// @param wide the width of the feed-forward part
    /// @param dtype F32 or BF16, for the matrices; the norms are F32
    static void write(Path directory, LlamaConfig config, int vocabulary, int wide, DType dtype, long seed,
            WriteOptions options) {
        RandomLlama model = new RandomLlama(config, dtype, seed);
        model.add(vocabulary, wide);
        boolean sharded = options.maxShardBytes() != Long.MAX_VALUE;
        Safetensors.write(sharded ? directory : directory.resolve("model.safetensors"), model.tensors, options);
        config.write(directory.resolve("config.json"));
    }

    private void add(int vocabulary, int wide) {
        int hidden = config.hiddenSize();
        int queries = config.heads() * config.headDim();
        int keys = config.kvHeads() * config.headDim();
        matrix("model.embed_tokens.weight", vocabulary, hidden);
        for (int i = 0; i < config.layers(); i++) {
            String prefix = "model.layers." + i + ".";
            norm(prefix + "input_layernorm.weight");
            matrix(prefix + "self_attn.q_proj.weight", queries, hidden);
            matrix(prefix + "self_attn.k_proj.weight", keys, hidden);
            matrix(prefix + "self_attn.v_proj.weight", keys, hidden);
            matrix(prefix + "self_attn.o_proj.weight", hidden, queries);
            norm(prefix + "post_attention_layernorm.weight");
            matrix(prefix + "mlp.gate_proj.weight", wide, hidden);
            matrix(prefix + "mlp.up_proj.weight", wide, hidden);
            matrix(prefix + "mlp.down_proj.weight", hidden, wide);
        }
        norm("model.norm.weight");
        if (!config.tiedEmbeddings()) {
            matrix("lm_head.weight", vocabulary, hidden);
        }
    }

    /// Normal numbers of a size that keeps the residual stream near one.
    private void matrix(String name, int rows, int columns) {
        ByteBuffer bytes = littleEndian(Math.multiplyExact(rows * columns, dtype.bits() / 8));
        while (bytes.hasRemaining()) {
            float weight = (float) (random.nextGaussian() / Math.sqrt(columns));
            if (dtype == DType.BF16) {
                bytes.putShort((short) (Float.floatToRawIntBits(weight) >>> 16));
            } else {
                bytes.putFloat(weight);
            }
        }
        add(name, dtype, Shape.of(rows, columns), bytes);
    }

    private void norm(String name) {
        ByteBuffer bytes = littleEndian(config.hiddenSize() * Float.BYTES);
        while (bytes.hasRemaining()) {
            bytes.putFloat((float) (1 + random.nextGaussian() / 10));
        }
        add(name, DType.F32, Shape.of(config.hiddenSize()), bytes);
    }

    private void add(String name, DType type, Shape shape, ByteBuffer bytes) {
        tensors.add(TensorSource.of(name, type, shape, channel -> {
            bytes.flip();
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
        }));
    }

    private static ByteBuffer littleEndian(int bytes) {
        return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }
}
