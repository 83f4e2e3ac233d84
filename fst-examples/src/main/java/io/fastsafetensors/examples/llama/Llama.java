package io.fastsafetensors.examples.llama;

import io.fastsafetensors.api.Weights;
import java.util.ArrayList;
import java.util.List;

/// The model. It owns no memory: it reads the tensors of a [Weights] where they are, and can be used for as long as that
/// is open; afterwards it throws [IllegalStateException]. Immutable; each sequence has a [KeyValueCache] of its own.
public final class Llama {
    private record Layer(RmsNorm attentionNorm, Attention attention, RmsNorm feedForwardNorm, FeedForward feedForward) {
    }

    private final LlamaConfig config;
    private final Weight embedding;
    private final List<Layer> layers = new ArrayList<>();
    private final RmsNorm norm;
    private final Weight head;

    /// A model over loaded tensors, which have the names of a Hugging Face checkpoint. Waits for their bytes.
    ///
    /// @throws io.fastsafetensors.error.TensorNotFoundException if a tensor is missing
    /// @throws IllegalArgumentException if one has another shape or dtype than expected
    public Llama(Weights weights, LlamaConfig config) {
        this.config = config;
        int vocabulary = rows(weights, "model.embed_tokens.weight");
        embedding = matrix(weights, "model.embed_tokens.weight", vocabulary, config.hiddenSize());
        Rotary rotary = new Rotary(config.headDim(), config.ropeTheta());
        for (int i = 0; i < config.layers(); i++) {
            layers.add(layer(weights, "model.layers." + i + ".", rotary));
        }
        norm = norm(weights, "model.norm.weight");
        head = config.tiedEmbeddings()
                ? embedding
                : matrix(weights, "lm_head.weight", vocabulary, config.hiddenSize());
    }

    private Layer layer(Weights weights, String prefix, Rotary rotary) {
        int hidden = config.hiddenSize();
        int queries = config.heads() * config.headDim();
        int keys = config.kvHeads() * config.headDim();
        int wide = rows(weights, prefix + "mlp.up_proj.weight");
        return new Layer(norm(weights, prefix + "input_layernorm.weight"),
                new Attention(config, rotary, matrix(weights, prefix + "self_attn.q_proj.weight", queries, hidden),
                        matrix(weights, prefix + "self_attn.k_proj.weight", keys, hidden),
                        matrix(weights, prefix + "self_attn.v_proj.weight", keys, hidden),
                        matrix(weights, prefix + "self_attn.o_proj.weight", hidden, queries)),
                norm(weights, prefix + "post_attention_layernorm.weight"),
                new FeedForward(matrix(weights, prefix + "mlp.gate_proj.weight", wide, hidden),
                        matrix(weights, prefix + "mlp.up_proj.weight", wide, hidden),
                        matrix(weights, prefix + "mlp.down_proj.weight", hidden, wide)));
    }

    private static int rows(Weights weights, String name) {
        return Math.toIntExact(weights.info(name).shape().dim(0));
    }

    private static Weight matrix(Weights weights, String name, int rows, int columns) {
        return new Weight(weights.get(name), rows, columns);
    }

    private RmsNorm norm(Weights weights, String name) {
        return new RmsNorm(matrix(weights, name, 1, config.hiddenSize()), config.rmsNormEps());
    }

    /// Feeds one token, which joins the cache.
    ///
    /// @return a score for each token of the vocabulary to be the next
    public float[] next(int token, KeyValueCache cache) {
        float[] hidden = embedding.row(token);
        for (int i = 0; i < layers.size(); i++) {
            Layer layer = layers.get(i);
            add(hidden, layer.attention().apply(layer.attentionNorm().apply(hidden), cache.layer(i)));
            add(hidden, layer.feedForward().apply(layer.feedForwardNorm().apply(hidden)));
        }
        return head.times(norm.apply(hidden));
    }

    /// Continues a prompt with the likeliest token, `count` times.
    ///
    /// @return the new tokens
    public int[] generate(int[] prompt, int count) {
        KeyValueCache cache = new KeyValueCache(config);
        float[] scores = {};
        for (int token : prompt) {
            scores = next(token, cache);
        }
        int[] tokens = new int[count];
        for (int i = 0; i < count; i++) {
            tokens[i] = likeliest(scores);
            scores = next(tokens[i], cache);
        }
        return tokens;
    }

    private static int likeliest(float[] scores) {
        int best = 0;
        for (int i = 1; i < scores.length; i++) {
            if (scores[i] > scores[best]) {
                best = i;
            }
        }
        return best;
    }

    private static void add(float[] sum, float[] more) {
        for (int i = 0; i < sum.length; i++) {
            sum[i] += more[i];
        }
    }
}
