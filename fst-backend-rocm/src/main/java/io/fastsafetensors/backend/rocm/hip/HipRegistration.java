package io.fastsafetensors.backend.rocm.hip;

import io.fastsafetensors.spi.HostRegistration;
import io.fastsafetensors.spi.base.Lifetime;

/// The caller's memory, page-locked.
///
/// @param byteSize how much
/// @param lifetime what ends it
record HipRegistration(long byteSize, Lifetime lifetime) implements HostRegistration {
    @Override
    public void close() {
        lifetime.close();
    }
}
