package io.fastsafetensors.storage.http;

import io.fastsafetensors.spi.storage.StorageProvider;
import io.fastsafetensors.testkit.StorageConformance;
import io.fastsafetensors.testkit.StorageFixture;
import java.util.Map;

/// Files of an HTTP server keep every rule.
class HttpStorageConformanceTest extends StorageConformance {
    @Override
    protected StorageProvider provider() {
        return new HttpStorageProvider(_ -> null);
    }

    @Override
    protected StorageFixture fixture() {
        return new WebFixture(new RangeServer());
    }

    @Override
    protected Map<String, String> properties() {
        return Map.of("http.retryDelay", "0.001", "http.retries", "3");
    }
}
