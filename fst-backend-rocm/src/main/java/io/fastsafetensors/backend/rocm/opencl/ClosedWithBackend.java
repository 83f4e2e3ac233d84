package io.fastsafetensors.backend.rocm.opencl;

/// An object that a backend closes when it is closed.
interface ClosedWithBackend {
    /// Idempotent, from any thread.
    void close();
}
