package io.fastsafetensors.backend.rocm.hip;

import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.testkit.BackendConformance;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

/// On the fake GPU, or with `-Dfst.hip.real=true` on whatever HIP this machine has.
@EnabledOnOs(OS.LINUX)
class HipConformanceTest extends BackendConformance {
    @Override
    protected BackendProvider provider() {
        return Boolean.getBoolean("fst.hip.real") ? new HipBackendProvider() : FakeHip.provider();
    }
}
