package io.fastsafetensors.backend.rocm.hip;

import io.fastsafetensors.spi.HostRegistration;

/// The caller's memory, page-locked.
///
/// @param byteSize how much
/// @param handle what ends it
record HipRegistration(long byteSize, Handle handle) implements HostRegistration {
    @Override
    public void close() {
        handle.close();
    }
}
