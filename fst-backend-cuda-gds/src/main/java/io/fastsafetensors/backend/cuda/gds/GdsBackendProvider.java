package io.fastsafetensors.backend.cuda.gds;

import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.spi.ffm.NativeLibrary;
import io.fastsafetensors.types.Device;

/// NVIDIA GPUs by GPUDirect Storage.
///
/// This version brings the provider without a transport: it is never available, and says what is missing.
public final class GdsBackendProvider implements BackendProvider {
    /// For [java.util.ServiceLoader].
    public GdsBackendProvider() {
    }

    @Override
    public String name() {
        return "cuda-gds";
    }

    @Override
    public String deviceType() {
        return "cuda";
    }

    @Override
    public int priority() {
        return 200;
    }

    @Override
    public Probe probe() {
        return new Probe.Unavailable("this version has no transport for GPUDirect Storage; "
                + NativeLibrary.describe("libcufile.so.0", "libcufile.so"));
    }

    @Override
    public Backend open(Device device, BackendOptions options) {
        throw new UnsupportedFeatureException("this version has no transport for GPUDirect Storage",
                Where.backend(name()));
    }
}
