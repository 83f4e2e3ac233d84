package io.fastsafetensors.storage.http.wire;

import io.fastsafetensors.types.Location;
import java.util.Optional;

/// A resource as its service serves it: its address now, what its requests must say, and what its refusals mean.
/// Thread-safe.
public interface Origin {
    /// For messages.
    Location location();

    /// Where requests go now.
    Address address();

    /// Adds the service's own headers, such as a signature.
    ///
    /// @param address where the request goes
    /// @param headers has Host and the range already
    /// @throws io.fastsafetensors.error.StorageException if there are no credentials to be had
    default void authorize(String method, Address address, Headers headers) {
    }

    /// Whether redirects are followed.
    default boolean followsRedirects() {
        return true;
    }

    /// Told once for each followed redirect that later requests may go there at once.
    default void redirected(Address to) {
    }

    /// Asked once for each request that was refused: whether something was changed (a token, the address) so that a second
    /// try makes sense.
    ///
    /// @param tried where the request went
    /// @param code the service's code in the answer's body, if it has one
    default boolean renew(Address tried, Head head, Optional<String> code) {
        return false;
    }

    /// What to do about a refusal, for people; no secret.
    default String remedy(Head head, Optional<String> code) {
        return switch (head.status()) {
            case 401, 403 -> "check the credentials";
            case 404, 410 -> "check the address";
            default -> "ask those who run the server";
        };
    }
}
