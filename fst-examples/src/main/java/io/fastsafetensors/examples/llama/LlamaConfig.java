package io.fastsafetensors.examples.llama;

import java.nio.file.Path;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// The numbers of a Llama-type model that its tensors do not tell, named as in the `config.json` of a Hugging Face
/// checkpoint.
///
/// @param hiddenSize the width of the residual stream
/// @param layers how many decoder layers
/// @param heads query heads
/// @param kvHeads key and value heads, each shared by `heads / kvHeads` query heads
/// @param headDim the width of a head, even
/// @param ropeTheta the base of the rotary frequencies
/// @param rmsNormEps what is added to the mean square before the root
/// @param tiedEmbeddings whether the output projection is the embedding matrix
public record LlamaConfig(int hiddenSize, int layers, int heads, int kvHeads, int headDim, double ropeTheta,
        double rmsNormEps, boolean tiedEmbeddings) {
    private static final JsonMapper JSON = new JsonMapper();

    /// @throws IllegalArgumentException if heads cannot be shared evenly, or a head's width is odd
    public LlamaConfig {
        if (heads % kvHeads != 0 || headDim % 2 != 0) {
            throw new IllegalArgumentException(
                    heads + " query heads over " + kvHeads + " key and value heads of width " + headDim);
        }
    }

    /// Reads `config.json`.
    ///
    /// @throws IllegalArgumentException if it asks for what this example does not compute, such as scaled positions
    public static LlamaConfig read(Path configJson) {
        JsonNode json = JSON.readTree(configJson);
        require(configJson, json, "model_type", "llama");
        require(configJson, json, "hidden_act", "silu");
        JsonNode rope = json.hasNonNull("rope_parameters") ? json.get("rope_parameters") : json;
        if (json.hasNonNull("rope_scaling") || !rope.path("rope_type").asString("default").equals("default")) {
            throw new IllegalArgumentException(configJson + ": scaled rotary positions are not computed here");
        }
        if (json.path("attention_bias").asBoolean(false) || json.path("mlp_bias").asBoolean(false)) {
            throw new IllegalArgumentException(configJson + ": biases are not computed here");
        }
        int hiddenSize = json.required("hidden_size").asInt();
        int heads = json.required("num_attention_heads").asInt();
        return new LlamaConfig(hiddenSize, json.required("num_hidden_layers").asInt(), heads,
                json.path("num_key_value_heads").asInt(heads), json.path("head_dim").asInt(hiddenSize / heads),
                rope.path("rope_theta").asDouble(10_000), json.required("rms_norm_eps").asDouble(),
                json.path("tie_word_embeddings").asBoolean(false));
    }

    /// Writes `config.json`.
    void write(Path configJson) {
        JSON.writeValue(configJson,
                JSON.createObjectNode().put("model_type", "llama").put("hidden_act", "silu")
                        .put("hidden_size", hiddenSize).put("num_hidden_layers", layers)
                        .put("num_attention_heads", heads).put("num_key_value_heads", kvHeads).put("head_dim", headDim)
                        .put("rope_theta", ropeTheta).put("rms_norm_eps", rmsNormEps)
                        .put("tie_word_embeddings", tiedEmbeddings));
    }

    private static void require(Path configJson, JsonNode json, String key, String value) {
        if (!json.path(key).asString("").equals(value)) {
            throw new IllegalArgumentException(configJson + ": " + key + " is not " + value);
        }
    }
}
