package io.fastsafetensors.tests.load;

import io.fastsafetensors.core.storage.LocalStorageProvider;
import io.fastsafetensors.spi.storage.CacheResidency;
import io.fastsafetensors.spi.storage.DescriptorAccess;
import io.fastsafetensors.spi.storage.DirectReads;
import io.fastsafetensors.spi.storage.Mapping;
import io.fastsafetensors.spi.storage.StorageProvider;
import io.fastsafetensors.testkit.PathFixture;
import io.fastsafetensors.testkit.StorageConformance;
import io.fastsafetensors.testkit.StorageFixture;
import java.nio.file.Path;
import java.util.Set;
import org.junit.jupiter.api.io.TempDir;

/// Local files keep every rule for storages.
class LocalStorageConformanceTest extends StorageConformance {
    @TempDir
    Path directory;

    @Override
    protected StorageProvider provider() {
        return new LocalStorageProvider();
    }

    @Override
    protected StorageFixture fixture() {
        return new PathFixture(directory) {
            @Override
            public Set<Class<?>> abilities() {
                boolean isNative = LocalStorageProvider.class.getModule().isNativeAccessEnabled()
                        && System.getProperty("os.name").equals("Linux");
                return isNative ? Set.of(CacheResidency.class, DirectReads.class, Mapping.class, DescriptorAccess.class)
                        : Set.of();
            }
        };
    }
}
