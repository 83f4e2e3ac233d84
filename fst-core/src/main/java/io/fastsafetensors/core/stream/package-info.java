/// Tensors in the order of their files, within a bound of memory: batches are cut, loaded ahead of the consumer and freed
/// behind it. Start at [LoadedStream]; [BatchProducer] is its thread.
/// Before it: load, of which each batch is one. After it: rewrite, which consumes batches.
@NullMarked
package io.fastsafetensors.core.stream;

import org.jspecify.annotations.NullMarked;
