package io.fastsafetensors.core.storage;

import io.fastsafetensors.spi.SpiVersion;
import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.spi.storage.StorageOptions;
import io.fastsafetensors.spi.storage.StorageProvider;
import java.util.Set;

/// Serves paths.
public final class LocalStorageProvider implements StorageProvider {
    /// The scheme of paths.
    static final String SCHEME = "file";

    /// For [java.util.ServiceLoader].
    public LocalStorageProvider() {
    }

    @Override
    public int spiVersion() {
        return SpiVersion.CURRENT;
    }

    @Override
    public Set<String> schemes() {
        return Set.of(SCHEME);
    }

    @Override
    public Storage open(StorageOptions options) {
        return LocalStorage.platform();
    }
}
