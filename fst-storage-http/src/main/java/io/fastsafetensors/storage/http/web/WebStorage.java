package io.fastsafetensors.storage.http.web;

import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.storage.http.wire.Address;
import io.fastsafetensors.storage.http.wire.Headers;
import io.fastsafetensors.storage.http.wire.HttpClient;
import io.fastsafetensors.storage.http.wire.RemoteFile;
import io.fastsafetensors.storage.http.wire.HttpSettings;
import io.fastsafetensors.types.Location;
import java.util.Optional;

/// Reads files of HTTP servers, one address each. Lists nothing, because HTTP cannot.
public final class WebStorage implements Storage {
    private static final int PARALLEL_READS = 16;

    private final HttpClient client;
    private final Optional<String> authorization;

    /// @throws StorageException if a setting is of no use
    public WebStorage(HttpSettings settings) {
        this.client = new HttpClient(settings);
        this.authorization = settings.text("http.authorization");
    }

    @Override
    public Kind kind(Location location) {
        return RemoteFile.exists(client, origin(location)) ? Kind.FILE : Kind.ABSENT;
    }

    @Override
    public StorageFile open(Location file) {
        return RemoteFile.open(client, origin(file), file.scheme(), PARALLEL_READS);
    }

    private WebOrigin origin(Location location) {
        Address address;
        Optional<String> user;
        try {
            address = Address.of(location.address());
            user = Address.userInformation(location.address());
        } catch (IllegalArgumentException e) {
            throw new StorageException("unusable address: " + e.getMessage(), location.where());
        }
        return new WebOrigin(location, address, user.map(Headers::basic).or(() -> authorization),
                "set http.authorization, or write the address with a user and a password that have access");
    }

    @Override
    public void close() {
        client.close();
    }
}
