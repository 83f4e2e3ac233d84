package io.fastsafetensors.backend.cuda.gds;

import io.fastsafetensors.backend.cuda.ContextBackend;
import java.util.function.Supplier;

/// The CUDA side of a device, as far as cuFile's functions want it.
interface CurrentContext {
    /// Runs work with the device's context current on this thread, and leaves the thread as it was.
    ///
    /// @throws io.fastsafetensors.error.BackendException if the context cannot be made current
    <T> T with(Supplier<T> work);

    /// The name of a status of the CUDA driver, such as `CUDA_ERROR_OUT_OF_MEMORY`.
    String nameOf(int cudaStatus);

    /// That of an open backend.
    static CurrentContext of(ContextBackend backend) {
        return new CurrentContext() {
            @Override
            public <T> T with(Supplier<T> work) {
                return backend.onDevice(work);
            }

            @Override
            public String nameOf(int cudaStatus) {
                return backend.nameOf(cudaStatus);
            }
        };
    }
}
