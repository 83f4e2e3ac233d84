package io.fastsafetensors.backend.rocm.hip;

import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.testkit.BackendConformance;
import io.fastsafetensors.testkit.FailureHook;
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

    @Override
    protected Optional<FailureHook> failures() {
        return Boolean.getBoolean("fst.hip.real") ? Optional.empty() : Optional.of(failure -> switch (failure) {
            case COPY -> Optional.of(FakeHip.gpu().failing("@copy"));
            case KERNEL -> Optional.of(FakeHip.gpu().failing("@kernel"));
            case DIRECT_READ -> Optional.empty();
        });
    }
}
