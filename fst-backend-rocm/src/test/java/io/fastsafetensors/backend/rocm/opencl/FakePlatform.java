package io.fastsafetensors.backend.rocm.opencl;

import java.util.List;

/// A platform of the [FakeDriver].
record FakePlatform(String name, List<FakeDevice> devices) {
    FakePlatform(String name, FakeDevice... devices) {
        this(name, List.of(devices));
    }
}
