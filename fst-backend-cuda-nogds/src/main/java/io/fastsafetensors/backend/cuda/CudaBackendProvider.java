package io.fastsafetensors.backend.cuda;

import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.spi.ffm.NativeLibrary;
import io.fastsafetensors.types.Device;

/// NVIDIA GPUs by copies through page-locked host memory.
///
/// This version brings the provider without a transport: it is never available, and says what is missing.
public final class CudaBackendProvider implements BackendProvider {
    /// For [java.util.ServiceLoader].
    public CudaBackendProvider() {
    }

    @Override
    public String name() {
        return "cuda";
    }

    @Override
    public String deviceType() {
        return "cuda";
    }

    @Override
    public int priority() {
        return 100;
    }

    @Override
    public Probe probe() {
        return new Probe.Unavailable("this version has no transport for CUDA devices; "
                + NativeLibrary.describe("libcuda.so.1"));
    }

    @Override
    public Backend open(Device device, BackendOptions options) {
        throw new UnsupportedFeatureException("this version has no transport for CUDA devices", Where.backend(name()));
    }
}
