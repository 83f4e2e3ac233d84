package io.fastsafetensors.backend.rocm;

import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.spi.ffm.NativeLibrary;
import io.fastsafetensors.types.Device;

/// AMD GPUs by HIP.
///
/// This version brings the provider without a transport: it is never available, and says what is missing.
public final class HipBackendProvider implements BackendProvider {
    /// For [java.util.ServiceLoader].
    public HipBackendProvider() {
    }

    @Override
    public String name() {
        return "hip";
    }

    @Override
    public String deviceType() {
        return "rocm";
    }

    @Override
    public int priority() {
        return 100;
    }

    @Override
    public Probe probe() {
        return new Probe.Unavailable("this version has no transport for HIP devices; "
                + NativeLibrary.describe("libamdhip64.so.7", "libamdhip64.so.6", "libamdhip64.so.5", "libamdhip64.so"));
    }

    @Override
    public Backend open(Device device, BackendOptions options) {
        throw new UnsupportedFeatureException("this version has no transport for HIP devices", Where.backend(name()));
    }
}
