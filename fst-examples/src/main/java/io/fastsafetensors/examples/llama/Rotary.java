package io.fastsafetensors.examples.llama;

/// Rotary positions as Hugging Face checkpoints have them: element `i` of a head turns with element `i + headDim / 2`,
/// by `position · theta^(−2i / headDim)`.
///
/// @param headDim the width of a head
/// @param theta the base of the frequencies
record Rotary(int headDim, double theta) {
    /// Turns each head of `heads` in place.
    void apply(float[] heads, int position) {
        int half = headDim / 2;
        for (int i = 0; i < half; i++) {
            double angle = position * Math.pow(theta, -2.0 * i / headDim);
            float cos = (float) Math.cos(angle);
            float sin = (float) Math.sin(angle);
            for (int at = i; at < heads.length; at += headDim) {
                float first = heads[at];
                float second = heads[at + half];
                heads[at] = first * cos - second * sin;
                heads[at + half] = second * cos + first * sin;
            }
        }
    }
}
