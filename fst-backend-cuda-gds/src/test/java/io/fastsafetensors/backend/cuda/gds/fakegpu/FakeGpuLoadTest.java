package io.fastsafetensors.backend.cuda.gds.fakegpu;

import io.fastsafetensors.backend.cuda.gds.GdsLoadRules;
import org.junit.jupiter.api.BeforeAll;

/// The loads of [GdsLoadRules] on the fakes.
@OnFakeGpu
class FakeGpuLoadTest extends GdsLoadRules {
    @BeforeAll
    static void load() {
        Fakes.gpu();
    }
}
