package io.fastsafetensors.api;

/// A tensor on its way to another framework: a struct in native memory, and a hold on the tensor's memory that ends
/// with the struct. The consumer calls the struct's deleter once, from any thread, whatever has been closed by then.
///
/// ```java
/// try (Dlpack struct = tensor.toDlpack(DlpackVersion.VERSIONED)) {
///     consumer.take(struct.address());    // if it throws, the struct is deleted here
///     struct.consumed();                  // else it belongs to the consumer now
/// }
/// ```
///
/// What is dropped without being consumed or closed is deleted when it is collected, and reported as a leak. So say
/// [#consumed()] as soon as a consumer has it: a collection would take the struct away from under it. A deleter that is
/// called twice does nothing the second time, as long as this object is reachable.
public interface Dlpack extends AutoCloseable {
    /// The address of the struct, a `DLManagedTensorVersioned` or a `DLManagedTensor`. Passing it on hands over
    /// ownership: call [#consumed()] then.
    ///
    /// @throws IllegalStateException if it was consumed, closed or deleted: there is one consumer
    long address();

    /// Which struct it is.
    DlpackVersion version();

    /// Says that a consumer has taken the struct, so that neither closing this nor dropping it deletes it. Idempotent.
    ///
    /// @throws IllegalStateException if it is closed
    void consumed();

    /// Deletes the struct unless it was consumed. Idempotent, from any thread.
    @Override
    void close();
}
