package io.fastsafetensors.backend.cuda.gds;

import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.testkit.BackendConformance;

/// On this machine's own GPU and cuFile; aborted where there is none.
class GdsConformanceTest extends BackendConformance {
    @Override
    protected BackendProvider provider() {
        return new GdsBackendProvider();
    }
}
