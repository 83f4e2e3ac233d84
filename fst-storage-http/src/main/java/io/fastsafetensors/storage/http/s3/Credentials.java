package io.fastsafetensors.storage.http.s3;

import java.time.Instant;
import java.util.Optional;

/// Keys that sign requests. Immutable; the text form has no secret.
///
/// @param accessKey the id of the key
/// @param secretKey the key itself
/// @param sessionToken of temporary credentials
/// @param expiration when temporary credentials end
record Credentials(String accessKey, String secretKey, Optional<String> sessionToken, Optional<Instant> expiration) {
    static Credentials lasting(String accessKey, String secretKey, Optional<String> sessionToken) {
        return new Credentials(accessKey, secretKey, sessionToken, Optional.empty());
    }

    @Override
    public String toString() {
        return "Credentials" + expiration.map(end -> " until " + end).orElse("");
    }
}
