package io.fastsafetensors.cli;

import io.fastsafetensors.types.Shape;
import java.util.ArrayList;
import java.util.List;

/// The tensors of a small Llama in BF16: Llama 3's proportions and vocabulary, cut to a size.
public final class LlamaShapes {
    /// One tensor.
    ///
    /// @param name as in the Hugging Face checkpoints
    /// @param shape its dimensions
    public record Part(String name, Shape shape) {
        /// Its size in BF16.
        public long byteSize() {
            return 2 * shape.elements();
        }
    }

    private static final long REFERENCE_BYTES = 1L << 30;
    private static final long REFERENCE_HIDDEN = 1024;
    private static final long REFERENCE_VOCABULARY = 128_256;

    private LlamaShapes() {
    }

    /// As many layers as `bytes` have room for, at least one, and as many added words as fill the rest.
    public static List<Part> ofBytes(long bytes) {
        double scale = Math.cbrt((double) bytes / REFERENCE_BYTES);
        long hidden = Math.max(64, Math.round(REFERENCE_HIDDEN * scale / 64) * 64);
        long vocabulary = Math.max(256, REFERENCE_VOCABULARY * hidden / REFERENCE_HIDDEN);
        List<Part> model = new ArrayList<>();
        long layerBytes = sum(layer(0, hidden));
        long fixed = 2 * hidden + 4 * vocabulary * hidden;
        long layers = Math.max(1, (bytes - fixed) / layerBytes);
        long words = vocabulary + Math.max(0, Math.ceilDiv(bytes - fixed - layers * layerBytes, 4 * hidden));
        add(model, "model.embed_tokens.weight", words, hidden);
        for (int i = 0; i < layers; i++) {
            model.addAll(layer(i, hidden));
        }
        add(model, "model.norm.weight", hidden);
        add(model, "lm_head.weight", words, hidden);
        return model;
    }

    private static List<Part> layer(int index, long hidden) {
        String prefix = "model.layers." + index + ".";
        long keys = hidden / 4;
        long inner = hidden * 7 / 2;
        List<Part> layer = new ArrayList<>();
        add(layer, prefix + "input_layernorm.weight", hidden);
        add(layer, prefix + "mlp.down_proj.weight", hidden, inner);
        add(layer, prefix + "mlp.gate_proj.weight", inner, hidden);
        add(layer, prefix + "mlp.up_proj.weight", inner, hidden);
        add(layer, prefix + "post_attention_layernorm.weight", hidden);
        add(layer, prefix + "self_attn.k_proj.weight", keys, hidden);
        add(layer, prefix + "self_attn.o_proj.weight", hidden, hidden);
        add(layer, prefix + "self_attn.q_proj.weight", hidden, hidden);
        add(layer, prefix + "self_attn.v_proj.weight", keys, hidden);
        return layer;
    }

    /// The bytes of all parts.
    public static long sum(List<Part> parts) {
        long bytes = 0;
        for (Part part : parts) {
            bytes += part.byteSize();
        }
        return bytes;
    }

    private static void add(List<Part> parts, String name, long... dims) {
        parts.add(new Part(name, Shape.of(dims)));
    }
}
