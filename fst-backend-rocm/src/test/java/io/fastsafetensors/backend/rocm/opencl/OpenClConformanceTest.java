package io.fastsafetensors.backend.rocm.opencl;

import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.testkit.BackendConformance;
import io.fastsafetensors.types.Device;
import org.junit.jupiter.api.BeforeAll;

/// On `opencl:0`, or the device whose number `-Dfst.opencl.device` is.
class OpenClConformanceTest extends BackendConformance {
    @BeforeAll
    static void requireOnCi() {
        if (OpenClDevice.IS_REQUIRED) {
            OpenClDevice.require();
        }
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
