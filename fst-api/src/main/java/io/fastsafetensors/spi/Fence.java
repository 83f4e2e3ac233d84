package io.fastsafetensors.spi;

/// A point in a [CopyStream]. Any thread may ask or wait. [#close()] releases it without waiting and is idempotent.
public interface Fence extends AutoCloseable {
    /// Whether the device has passed it.
    ///
    /// @throws io.fastsafetensors.error.BackendException if the work before it failed
    boolean isPassed();

    /// Waits until the device has passed it.
    ///
    /// @throws io.fastsafetensors.error.BackendException if the work before it failed
    void await();

    @Override
    void close();
}
