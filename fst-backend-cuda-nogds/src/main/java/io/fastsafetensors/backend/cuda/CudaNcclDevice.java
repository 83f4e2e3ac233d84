package io.fastsafetensors.backend.cuda;

import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.gpu.nccl.NcclDevice;
import java.util.function.Supplier;

/// A rank's GPU: its primary context, which NCCL finds by the current one.
///
/// @param context owned
record CudaNcclDevice(ContextBackend context) implements NcclDevice {
    @Override
    public Backend backend() {
        return context;
    }

    @Override
    public <T> T current(Supplier<T> work) {
        return context.inContext(work);
    }

    @Override
    public long stream(CopyStream stream) {
        return ((CudaCopyStream) stream).stream().address();
    }

    @Override
    public void close() {
        context.close();
    }
}
