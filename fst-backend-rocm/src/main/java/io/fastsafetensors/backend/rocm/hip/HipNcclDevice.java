package io.fastsafetensors.backend.rocm.hip;

import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.gpu.nccl.NcclDevice;
import java.util.function.Supplier;

/// A rank's GPU, which RCCL finds by the thread's current device.
///
/// @param hip owned
record HipNcclDevice(HipBackend hip) implements NcclDevice {
    @Override
    public Backend backend() {
        return hip;
    }

    @Override
    public <T> T current(Supplier<T> work) {
        return hip.onDevice(work);
    }

    @Override
    public long stream(CopyStream stream) {
        return ((HipStream) stream).stream();
    }

    @Override
    public void close() {
        hip.close();
    }
}
