/// Jlama, a language model engine in Java, over tensors that fst loads.
@NullMarked
package io.fastsafetensors.examples.jlama;

import org.jspecify.annotations.NullMarked;
