package io.fastsafetensors.backend.cuda.fakegpu;

import io.fastsafetensors.backend.cuda.DeviceBehaviour;
import org.junit.jupiter.api.BeforeAll;

/// On the fake GPU.
@OnFakeGpu
class FakeGpuDeviceTest extends DeviceBehaviour {
    @BeforeAll
    static void load() {
        TheGpu.load().reset();
    }

    @Override
    protected int slowCopies() {
        return 3;
    }
}
