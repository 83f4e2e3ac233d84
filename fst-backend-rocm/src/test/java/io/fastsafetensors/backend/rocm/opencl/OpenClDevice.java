package io.fastsafetensors.backend.rocm.opencl;

import io.fastsafetensors.spi.Probe;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Assumptions;

/// The real driver that tests need: on CI its absence is a failure, elsewhere it skips them.
final class OpenClDevice {
    static final boolean IS_REQUIRED = "true".equals(System.getenv("CI"));

    private OpenClDevice() {
    }

    /// The probe's answer, which lists a device.
    static Probe.Available require() {
        Probe probe = new OpenClBackendProvider().probe();
        if (probe instanceof Probe.Unavailable unavailable) {
            String text = "no OpenCL device: " + unavailable.reason();
            return IS_REQUIRED ? Assertions.fail(text) : Assumptions.abort(text);
        }
        return (Probe.Available) probe;
    }
}
