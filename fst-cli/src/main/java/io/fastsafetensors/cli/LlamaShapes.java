package io.fastsafetensors.cli;

import io.fastsafetensors.types.Shape;
import java.util.ArrayList;
import java.util.List;

/// The tensors of a small Llama in BF16: Llama 3's proportions and vocabulary, cut to a size.
final class LlamaShapes {
    /// One tensor.
    ///
    /// @param name as in the Hugging Face checkpoints
    /// @param shape its dimensions
    record Part(String name, Shape shape) {
        long byteSize() {
            return 2 * shape.elements();
        }
    }

    private static final long REFERENCE_BYTES = 1L << 30;
    private static final long REFERENCE_HIDDEN = 1024;
    private static final long REFERENCE_VOCABULARY = 128_256;

    private LlamaShapes() {
    }

    /// As many layers as `bytes` have room for, at least one.
    static List<Part> ofBytes(long bytes) {
        double scale = Math.cbrt((double) bytes / REFERENCE_BYTES);
        long hidden = Math.max(64, Math.round(REFERENCE_HIDDEN * scale / 64) * 64);
        long vocabulary = Math.max(256, REFERENCE_VOCABULARY * hidden / REFERENCE_HIDDEN);
        List<Part> model = new ArrayList<>();
        add(model, "model.embed_tokens.weight", vocabulary, hidden);
        long ends = 2 * model.getFirst().byteSize() + 2 * hidden;
        List<Part> firstLayer = layer(0, hidden);
        long layers = Math.max(1, (bytes - ends) / firstLayer.stream().mapToLong(Part::byteSize).sum());
        for (int i = 0; i < layers; i++) {
            model.addAll(layer(i, hidden));
        }
        add(model, "model.norm.weight", hidden);
        add(model, "lm_head.weight", vocabulary, hidden);
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

    private static void add(List<Part> parts, String name, long... dims) {
        parts.add(new Part(name, Shape.of(dims)));
    }
}
