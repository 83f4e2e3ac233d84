package io.fastsafetensors.core.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.ShardSpec;
import io.fastsafetensors.error.ConfigException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ShardSpecsTest {
    @TempDir
    private Path directory;

    private ShardSpec read(String text) throws IOException {
        return ShardSpec.read(Files.writeString(directory.resolve("shards.json"), text));
    }

    @Test
    void the_first_pattern_that_matches_counts() throws IOException {
        ShardSpec spec = read("{\"a.norm\": -1,\n \"a.*\": 1, \"*\": 0}");
        assertEquals(-1, spec.dim("a.norm"));
        assertEquals(1, spec.dim("a.w"));
        assertEquals(0, spec.dim("b"));
        Map<String, Integer> same = new LinkedHashMap<>();
        same.put("a.norm", -1);
        same.put("a.*", 1);
        same.put("*", 0);
        assertEquals(ShardSpec.of(same), spec);
        assertEquals(-1, read("{}").dim("anything"));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
        "{\"a\":|6|no JSON", "[]|1|not an object", "{\"a\": \"0\"}|7|expected an integer, found \"0\"",
        "{\"a\": 0, \"b\": -2}|15|-2 is not between -1 and 63", "{\"a\": 0, \"a[\": 1}|10|leaves a [ or { open",
        "{\"a\": 0, \"a\": 1}|10|\"a\" twice"})
    void what_is_wrong_has_a_place(String text, String place, String words) throws IOException {
        ConfigException e = assertThrows(ConfigException.class, () -> read(text));
        assertTrue(e.getMessage().contains(words), e.getMessage());
        assertTrue(e.getMessage().contains("line 1, column " + place + ":"), e.getMessage());
        assertThrows(ConfigException.class, () -> ShardSpec.read(directory.resolve("none.json")));
    }

    @ParameterizedTest
    @CsvSource({"llama,model.embed_tokens.weight,0", "llama,model.layers.3.self_attn.q_proj.weight,0",
        "llama,model.layers.3.self_attn.k_proj.bias,0", "llama,model.layers.3.self_attn.o_proj.weight,1",
        "llama,model.layers.3.mlp.gate_proj.weight,0", "llama,model.layers.3.mlp.down_proj.weight,1",
        "llama,model.layers.3.input_layernorm.weight,-1", "llama,model.norm.weight,-1", "llama,lm_head.weight,0",
        "llama,model.layers.3.mlp.down_proj.bias,-1", "gpt2,h.0.attn.c_attn.weight,-1", "gpt2,h.0.attn.c_proj.weight,0",
        "gpt2,h.0.attn.c_proj.bias,-1", "gpt2,transformer.h.0.mlp.c_fc.weight,1", "gpt2,h.0.mlp.c_fc.bias,0",
        "gpt2,h.0.mlp.c_proj.weight,0", "gpt2,wte.weight,0", "gpt2,wpe.weight,-1", "gpt2,h.0.ln_1.weight,-1",
        "falcon,transformer.h.1.self_attention.query_key_value.weight,-1",
        "falcon,transformer.h.1.self_attention.dense.weight,1", "falcon,transformer.h.1.mlp.dense_h_to_4h.weight,0",
        "falcon,transformer.h.1.mlp.dense_4h_to_h.weight,1", "falcon,transformer.word_embeddings.weight,0",
        "bloom,h.1.self_attention.query_key_value.weight,0", "bloom,h.1.self_attention.query_key_value.bias,0",
        "bloom,h.1.self_attention.dense.weight,1", "bloom,h.1.self_attention.dense.bias,-1",
        "bloom,h.1.mlp.dense_4h_to_h.weight,1", "bloom,word_embeddings.weight,0",
        "bloom,word_embeddings_layernorm.weight,-1", "mixtral,model.layers.1.block_sparse_moe.experts.7.w1.weight,0",
        "mixtral,model.layers.1.block_sparse_moe.experts.7.w2.weight,1",
        "mixtral,model.layers.1.block_sparse_moe.experts.7.w3.weight,0",
        "mixtral,model.layers.1.block_sparse_moe.gate.weight,-1", "mixtral,model.layers.1.self_attn.o_proj.weight,1"})
    void the_usual_schemes_are_shipped(String scheme, String tensor, int dim) {
        assertEquals(dim, ShardSpec.of(scheme).dim(tensor));
    }

    @Test
    void a_scheme_that_is_not_there_is_refused_with_those_that_are() {
        ConfigException e = assertThrows(ConfigException.class, () -> ShardSpec.of("gpt5"));
        assertTrue(e.getMessage().contains("bloom, falcon, gpt2, llama, mixtral"), e.getMessage());
    }
}
