package io.fastsafetensors.examples.llama;

import java.util.List;

/// Causal self-attention with grouped queries: `heads / kvHeads` query heads look at the same keys and values.
///
/// @param query the projection to all query heads
/// @param key the projection to all key heads
/// @param value the projection to all value heads
/// @param output the projection back to the residual stream
record Attention(LlamaConfig config, Rotary rotary, Weight query, Weight key, Weight value, Weight output) {
    /// What the token at the cache's next position sees; its key and value join the cache.
    float[] apply(float[] hidden, KeyValueCache.Layer cache) {
        int position = cache.keys().size();
        float[] queries = query.times(hidden);
        float[] keys = key.times(hidden);
        rotary.apply(queries, position);
        rotary.apply(keys, position);
        cache.keys().add(keys);
        cache.values().add(value.times(hidden));

        float[] seen = new float[queries.length];
        int group = config.heads() / config.kvHeads();
        for (int head = 0; head < config.heads(); head++) {
            attend(queries, head * config.headDim(), cache, head / group * config.headDim(), seen);
        }
        return output.times(seen);
    }

    /// One head: `queryAt` and `keyAt` are where its elements begin.
    private void attend(float[] queries, int queryAt, KeyValueCache.Layer cache, int keyAt, float[] seen) {
        float[] shares = new float[cache.keys().size()];
        for (int position = 0; position < shares.length; position++) {
            float[] keys = cache.keys().get(position);
            float score = 0;
            for (int i = 0; i < config.headDim(); i++) {
                score += queries[queryAt + i] * keys[keyAt + i];
            }
            shares[position] = score / (float) Math.sqrt(config.headDim());
        }
        softmax(shares);
        List<float[]> values = cache.values();
        for (int position = 0; position < shares.length; position++) {
            for (int i = 0; i < config.headDim(); i++) {
                seen[queryAt + i] += shares[position] * values.get(position)[keyAt + i];
            }
        }
    }

    private static void softmax(float[] scores) {
        float most = Float.NEGATIVE_INFINITY;
        for (float score : scores) {
            most = Math.max(most, score);
        }
        float sum = 0;
        for (int i = 0; i < scores.length; i++) {
            scores[i] = (float) Math.exp(scores[i] - most);
            sum += scores[i];
        }
        for (int i = 0; i < scores.length; i++) {
            scores[i] /= sum;
        }
    }
}
