package io.fastsafetensors.backend.rocm.opencl;

import io.fastsafetensors.backend.rocm.opencl.binding.ClStatus;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.spi.SpiVersion;
import io.fastsafetensors.types.Device;

/// Devices with an OpenCL 1.2 driver, as `opencl:N`: graphics processors first, then accelerators, then processors of
/// the host; within a kind in the order of the loader's platforms. Knows no switches.
public final class OpenClBackendProvider implements BackendProvider {
    /// Costs nothing; [#probe()] looks for the library and its devices, once.
    public OpenClBackendProvider() {
    }

    @Override
    public String name() {
        return ClStatus.BACKEND;
    }

    @Override
    public int spiVersion() {
        return SpiVersion.CURRENT;
    }

    @Override
    public String deviceType() {
        return "opencl";
    }

    /// Behind every backend that serves a device by its vendor's own library.
    @Override
    public int priority() {
        return 50;
    }

    @Override
    public Probe probe() {
        return Installation.ofThisMachine().probe();
    }

    @Override
    public Backend open(Device device, BackendOptions options) {
        return Installation.ofThisMachine().open(device);
    }
}
