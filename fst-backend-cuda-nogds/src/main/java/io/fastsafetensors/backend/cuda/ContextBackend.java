package io.fastsafetensors.backend.cuda;

import io.fastsafetensors.gpu.NativeBackend;

/// A CUDA backend as direct storage and others see it that add to it. [CudaBackendProvider] opens one; its device's
/// primary context is current where the device is.
public interface ContextBackend extends NativeBackend {
    /// The name of a status of the driver that a library reports, such as `CUDA_ERROR_OUT_OF_MEMORY`.
    String nameOf(int status);
}
