package io.fastsafetensors.backend.rocm.opencl;

import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.testkit.BackendConformance;
import io.fastsafetensors.types.Device;
import org.junit.jupiter.api.BeforeEach;

/// On `opencl:0`, or the device whose number `-Dfst.opencl.device` is.
class OpenClConformanceTest extends BackendConformance {
    @BeforeEach
    void requireDevice() {
        OpenClDevice.require();
    }

    @Override
    protected BackendProvider provider() {
        return new OpenClBackendProvider();
    }

    @Override
    protected Device device(Probe.Available available) {
        return available.devices().get(Integer.getInteger("fst.opencl.device", 0)).device();
    }
}
