package io.fastsafetensors.tests.load;

import io.fastsafetensors.core.storage.LocalStorage;
import io.fastsafetensors.spi.SpiVersion;
import io.fastsafetensors.spi.storage.CacheResidency;
import io.fastsafetensors.spi.storage.DescriptorAccess;
import io.fastsafetensors.spi.storage.DirectReads;
import io.fastsafetensors.spi.storage.Mapping;
import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.spi.storage.StorageOptions;
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
        return new StorageProvider() {
            @Override
            public int spiVersion() {
                return SpiVersion.CURRENT;
            }

            @Override
            public Set<String> schemes() {
                return Set.of("file");
            }

            @Override
            public Storage open(StorageOptions options) {
                return LocalStorage.platform();
            }
        };
    }

    @Override
    protected StorageFixture fixture() {
        return new PathFixture(directory) {
            @Override
            public Set<Class<?>> abilities() {
                boolean isNative = LocalStorage.class.getModule().isNativeAccessEnabled()
                        && System.getProperty("os.name").equals("Linux");
                return isNative ? Set.of(CacheResidency.class, DirectReads.class, Mapping.class, DescriptorAccess.class)
                        : Set.of();
            }
        };
    }
}
