package io.fastsafetensors.spi;

/// Host memory that a backend keeps page-locked. Closing gives it back to the pager; idempotent, from any thread,
/// after every copy from it has passed its fence.
public interface HostRegistration extends AutoCloseable {
    /// The registered bytes.
    long byteSize();

    @Override
    void close();
}
