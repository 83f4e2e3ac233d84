package io.fastsafetensors.backend.rocm.hip;

import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.testkit.BackendConformance;
import io.fastsafetensors.testkit.FailureHook;
import io.fastsafetensors.types.Device;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

/// On the fake GPU, or with `-Dfst.hip.real=true` on whatever HIP this machine has.
@EnabledOnOs(OS.LINUX)
class HipConformanceTest extends BackendConformance {
    @Override
    protected BackendProvider provider() {
        return Boolean.getBoolean("fst.hip.real") ? new HipBackendProvider() : FakeHip.provider();
    }

    /// All of a real machine; of the fake ones two tell as much as four.
    @Override
    protected List<Device> devices(Probe.Available available) {
        List<Device> all = super.devices(available);
        return Boolean.getBoolean("fst.hip.real") ? all : all.subList(0, 2);
    }

    @Override
    protected Optional<FailureHook> failures() {
        return Boolean.getBoolean("fst.hip.real") ? Optional.empty() : Optional.of(failure -> switch (failure) {
            case COPY -> Optional.of(FakeHip.gpu().failing("@copy"));
            case KERNEL -> Optional.of(FakeHip.gpu().failing("@kernel"));
            case DIRECT_READ -> Optional.empty();
        });
    }
}
