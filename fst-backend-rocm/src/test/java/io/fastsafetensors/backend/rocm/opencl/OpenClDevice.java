package io.fastsafetensors.backend.rocm.opencl;

import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.test.Prerequisite;

/// The real driver that tests need.
final class OpenClDevice {
    private static final Probe PROBE = new OpenClBackendProvider().probe();

    private OpenClDevice() {
    }

    /// The probe's answer, which lists a device; without one the test ends by [Prerequisite#OPENCL].
    static Probe.Available require() {
        if (PROBE instanceof Probe.Unavailable unavailable) {
            throw Prerequisite.OPENCL.missing(unavailable.reason());
        }
        return (Probe.Available) PROBE;
    }
}
