/// DJL's PyTorch on memory that fst loaded: arrays that are the tensors themselves. Start at
/// [io.fastsafetensors.examples.djl.RunDjl].
@NullMarked
package io.fastsafetensors.examples.djl;

import org.jspecify.annotations.NullMarked;
