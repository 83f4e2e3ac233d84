package io.fastsafetensors.api;

import io.fastsafetensors.types.DeviceHandle;

/// Keeps a tensor's memory from being freed while native code uses it. A close meanwhile takes effect on the tensor at
/// once, on the memory when the last pin is closed.
public interface Pin extends AutoCloseable {
    /// The pointer or object of the first byte.
    DeviceHandle handle();

    /// The pointer of the first byte.
    ///
    /// @throws io.fastsafetensors.error.UnsupportedFeatureException where the device has no pointers
    long address();

    /// How many bytes.
    long byteSize();

    /// Releases the pin. Idempotent, from any thread.
    @Override
    void close();
}
