package io.fastsafetensors.storage.http;

import io.fastsafetensors.spi.SpiVersion;
import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.spi.storage.StorageOptions;
import io.fastsafetensors.spi.storage.StorageProvider;
import io.fastsafetensors.storage.http.s3.S3Storage;
import io.fastsafetensors.storage.http.wire.HttpSettings;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// Serves `s3:` locations. Its properties are in docs/remote.md. Stateless.
public final class S3StorageProvider implements StorageProvider {
    private final Function<String, @Nullable String> environment;

    /// For [java.util.ServiceLoader].
    public S3StorageProvider() {
        this(System::getenv);
    }

    /// With variables of another environment.
    S3StorageProvider(Function<String, @Nullable String> environment) {
        this.environment = environment;
    }

    @Override
    public int spiVersion() {
        return SpiVersion.CURRENT;
    }

    @Override
    public Set<String> schemes() {
        return Set.of("s3");
    }

    @Override
    public Storage open(StorageOptions options) {
        return new S3Storage(new HttpSettings(options, environment));
    }
}
