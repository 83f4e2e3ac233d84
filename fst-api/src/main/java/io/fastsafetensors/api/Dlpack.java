package io.fastsafetensors.api;

/// A tensor on its way to another framework. Whoever consumes it calls the struct's deleter, from any thread, once;
/// [#close()] calls it for a struct that nobody took.
public interface Dlpack extends AutoCloseable {
    /// The address of the struct. Passing it on hands over ownership: call [#consumed()] then.
    long address();

    /// Which struct it is.
    DlpackVersion version();

    /// Says that a consumer has taken the struct, so that closing this does not delete it.
    void consumed();

    /// Deletes the struct unless it was consumed. Idempotent.
    @Override
    void close();
}
