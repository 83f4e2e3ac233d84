/// A Llama-type language model in plain Java over tensors that fst loaded: RMS norm, rotary positions, grouped-query
/// attention, SwiGLU and greedy decoding. Weights are read in place, in the dtype of the checkpoint; nothing of them is
/// copied to the Java heap. Start at [io.fastsafetensors.examples.llama.RunLlama].
@NullMarked
package io.fastsafetensors.examples.llama;

import org.jspecify.annotations.NullMarked;
