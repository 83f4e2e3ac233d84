package io.fastsafetensors.testkit;

import io.fastsafetensors.spi.storage.StorageProvider;
import io.fastsafetensors.testkit.storage.MemoryFixture;
import io.fastsafetensors.testkit.storage.MemoryProvider;

/// The kit's own storage keeps every rule.
class MemoryStorageConformanceTest extends StorageConformance {
    private final MemoryProvider provider = MemoryProvider.full();

    @Override
    protected StorageProvider provider() {
        return provider;
    }

    @Override
    protected StorageFixture fixture() {
        return new MemoryFixture(provider);
    }
}
