package io.fastsafetensors.examples.llama;

/// SwiGLU: `down · (silu(gate · x) ⊙ (up · x))`.
///
/// @param gate the gating projection
/// @param up the projection that is gated
/// @param down the projection back to the residual stream
record FeedForward(Weight gate, Weight up, Weight down) {
    float[] apply(float[] hidden) {
        float[] gates = gate.times(hidden);
        float[] wide = up.times(hidden);
        for (int i = 0; i < wide.length; i++) {
            wide[i] *= gates[i] / (1 + (float) Math.exp(-gates[i]));
        }
        return down.times(wide);
    }
}
