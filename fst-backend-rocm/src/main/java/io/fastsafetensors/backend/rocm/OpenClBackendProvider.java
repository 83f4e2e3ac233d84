package io.fastsafetensors.backend.rocm;

import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.spi.ffm.NativeLibrary;
import io.fastsafetensors.types.Device;

/// Devices with an OpenCL driver.
///
/// This version brings the provider without a transport: it is never available, and says what is missing.
public final class OpenClBackendProvider implements BackendProvider {
    /// For [java.util.ServiceLoader].
    public OpenClBackendProvider() {
    }

    @Override
    public String name() {
        return "opencl";
    }

    @Override
    public String deviceType() {
        return "opencl";
    }

    @Override
    public int priority() {
        return 50;
    }

    @Override
    public Probe probe() {
        return new Probe.Unavailable("this version has no transport for OpenCL devices; "
                + NativeLibrary.describe("libOpenCL.so.1"));
    }

    @Override
    public Backend open(Device device, BackendOptions options) {
        throw new UnsupportedFeatureException("this version has no transport for OpenCL devices",
                Where.backend(name()));
    }
}
