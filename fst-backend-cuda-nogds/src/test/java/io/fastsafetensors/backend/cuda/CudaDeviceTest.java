package io.fastsafetensors.backend.cuda;

import org.junit.jupiter.api.condition.DisabledIfSystemProperty;
import org.junit.jupiter.api.condition.EnabledIf;

/// On this machine's own GPU; not run where there is none.
@DisabledIfSystemProperty(named = "fst.test.fakeGpu", matches = "true", disabledReason = "this JVM's GPU is a fake")
@EnabledIf(value = "isThere", disabledReason = "no CUDA device on this machine")
class CudaDeviceTest extends DeviceBehaviour {
    static boolean isThere() {
        return new CudaBackendProvider().probe().isAvailable();
    }
}
