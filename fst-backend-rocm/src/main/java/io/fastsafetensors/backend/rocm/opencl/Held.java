package io.fastsafetensors.backend.rocm.opencl;

/// What a backend closes with itself.
interface Held {
    /// Idempotent, from any thread.
    void close();
}
