package io.fastsafetensors.backend.cuda;

import io.fastsafetensors.spi.Backend;
import java.util.function.Supplier;

/// A CUDA backend as those see it who add to it, such as direct storage: libraries that work on device pointers
/// (cuFile, NCCL) want the device's context current on the thread that calls them.
///
/// What [io.fastsafetensors.spi.BackendProvider#open] of [CudaBackendProvider] gives is one of these. Device pointers are in
/// [io.fastsafetensors.spi.DeviceBuffer#handle()].
public interface ContextBackend extends Backend {
    /// Does some work with the device's primary context current on this thread, and makes the one current again that
    /// was before. Any thread; cheap enough for every call.
    ///
    /// @return what the work returns
    /// @throws io.fastsafetensors.error.BackendException if the driver refuses
    <T> T inContext(Supplier<T> work);

    /// The name of a status of the driver that such a library reports, such as `CUDA_ERROR_OUT_OF_MEMORY`.
    String nameOf(int status);
}
