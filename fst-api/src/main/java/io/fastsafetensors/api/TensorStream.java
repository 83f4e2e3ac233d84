package io.fastsafetensors.api;

import java.util.Iterator;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/// Tensors in the order in which they arrive, under a fixed memory budget. Can be iterated once.
///
/// The consumer sets the pace. A failure of the reading side reaches it once, from `next`, and ends the stream. An interrupt
/// of the thread that waits in `next` is a [io.fastsafetensors.error.LoadInterruptedException] and ends nothing: `next` may
/// be called again. Closing cancels, from any thread, and frees everything but owned tensors that were handed out. Closing
/// the loader changes nothing for a stream that was begun.
///
/// A tensor's bytes are there when it is handed out. On a device its memory is filled again with later tensors once the
/// next one was asked for, or an owned one is closed: a consumer whose own kernels or copies are still reading it on
/// another stream says so by [Tensor#releaseAfter(long)] before that, or waits for them.
///
/// ```java
/// try (Loader loader = Loader.builder().deviceBudget(1L << 30).build(); TensorStream stream = loader.stream(path)) {
///     stream.forEach(tensor -> use(tensor.name(), tensor.toFloatArray()));
/// }
/// ```
public interface TensorStream extends Iterable<Tensor>, AutoCloseable {
    /// The headers.
    Checkpoint checkpoint();

    /// The one iterator.
    @Override
    Iterator<Tensor> iterator();

    /// The tensors as a stream; closing it closes this.
    default Stream<Tensor> stream() {
        return StreamSupport.stream(spliterator(), false).onClose(this::close);
    }

    /// A tensor of the current batch by name.
    ///
    /// @throws io.fastsafetensors.error.TensorNotFoundException if the batch does not hold it
    Tensor get(String name);

    /// What was done so far.
    LoadStats stats();

    /// Cancels and frees. Idempotent, from any thread, at any moment; waits as [Weights#close()] does.
    ///
    /// @throws RuntimeException what the backend cannot free, to the first caller; everything else is freed
    @Override
    void close();
}
