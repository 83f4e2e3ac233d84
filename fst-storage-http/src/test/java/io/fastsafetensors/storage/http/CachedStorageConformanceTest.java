package io.fastsafetensors.storage.http;

import io.fastsafetensors.core.storage.LocalStorage;
import io.fastsafetensors.core.storage.cache.CachedStorage;
import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.spi.storage.StorageOptions;
import io.fastsafetensors.spi.storage.StorageProvider;
import io.fastsafetensors.testkit.StorageConformance;
import io.fastsafetensors.testkit.StorageFixture;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.io.TempDir;

/// A storage that is read through the cache keeps every rule that it keeps without.
class CachedStorageConformanceTest extends StorageConformance {
    @TempDir
    static Path folder;

    @Override
    protected StorageProvider provider() {
        StorageProvider web = new HttpStorageProvider(_ -> null);
        return new StorageProvider() {
            @Override
            public Set<String> schemes() {
                return web.schemes();
            }

            @Override
            public Storage open(StorageOptions options) {
                return CachedStorage.around(web.open(options), LocalStorage.platform(),
                        options.with("cache.directory", folder.toString()));
            }
        };
    }

    @Override
    protected StorageFixture fixture() {
        return new WebFixture(new RangeServer());
    }

    @Override
    protected Map<String, String> properties() {
        return Remote.quick();
    }
}
