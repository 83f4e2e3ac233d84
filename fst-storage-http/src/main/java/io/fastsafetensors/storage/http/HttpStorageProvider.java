package io.fastsafetensors.storage.http;

import io.fastsafetensors.spi.SpiVersion;
import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.spi.storage.StorageOptions;
import io.fastsafetensors.spi.storage.StorageProvider;
import io.fastsafetensors.storage.http.web.WebStorage;
import io.fastsafetensors.storage.http.wire.HttpSettings;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// Serves `http:` and `https:` locations. Its properties are in docs/remote.md. Stateless.
public final class HttpStorageProvider implements StorageProvider {
    private final Function<String, @Nullable String> environment;

    /// For [java.util.ServiceLoader].
    public HttpStorageProvider() {
        this(System::getenv);
    }

    /// With variables of another environment.
    HttpStorageProvider(Function<String, @Nullable String> environment) {
        this.environment = environment;
    }

    @Override
    public int spiVersion() {
        return SpiVersion.CURRENT;
    }

    @Override
    public Set<String> schemes() {
        return Set.of("http", "https");
    }

    @Override
    public Storage open(StorageOptions options) {
        return new WebStorage(new HttpSettings(options, environment));
    }
}
