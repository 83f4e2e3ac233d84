package io.fastsafetensors.storage.http;

import io.fastsafetensors.spi.SpiVersion;
import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.spi.storage.StorageOptions;
import io.fastsafetensors.spi.storage.StorageProvider;
import io.fastsafetensors.storage.http.hub.HubStorage;
import io.fastsafetensors.storage.http.wire.HttpSettings;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// Serves `hf:` locations. Its properties are in docs/remote.md. Stateless.
public final class HubStorageProvider implements StorageProvider {
    private final Function<String, @Nullable String> environment;

    /// For [java.util.ServiceLoader].
    public HubStorageProvider() {
        this(System::getenv);
    }

    /// With variables of another environment.
    HubStorageProvider(Function<String, @Nullable String> environment) {
        this.environment = environment;
    }

    @Override
    public int spiVersion() {
        return SpiVersion.CURRENT;
    }

    @Override
    public Set<String> schemes() {
        return Set.of("hf");
    }

    @Override
    public Storage open(StorageOptions options) {
        return new HubStorage(new HttpSettings(options, environment));
    }
}
