package io.fastsafetensors.spi;

/// A point in a [CopyStream]. Any thread may ask or wait. [#close()] releases it without waiting and is idempotent.
///
/// A fence outlives its stream: closing a stream finishes its work, so that its fences have passed, or say what failed, and
/// nobody waits for them any more. A fence that was closed, or whose backend was, is an [IllegalStateException], except that
/// one which had passed may go on saying so.
public interface Fence extends AutoCloseable {
    /// Whether the device has passed it.
    ///
    /// @throws io.fastsafetensors.error.BackendException if the work before it failed
    boolean isPassed();

    /// Waits until the device has passed it. An interrupt does not end the wait, since the device would go on using the
    /// memory; the thread stays interrupted. Who must not wait for long asks [#isPassed()].
    ///
    /// @throws io.fastsafetensors.error.BackendException if the work before it failed
    void await();

    @Override
    void close();

    /// A fence that has passed: of work that is done when a call returns. It holds nothing, so it may be shared, and closing
    /// it changes nothing.
    static Fence passed() {
        return PassedFence.PASSED;
    }
}
