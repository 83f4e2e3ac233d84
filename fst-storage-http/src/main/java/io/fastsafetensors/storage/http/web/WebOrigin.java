package io.fastsafetensors.storage.http.web;

import io.fastsafetensors.storage.http.wire.Address;
import io.fastsafetensors.storage.http.wire.Head;
import io.fastsafetensors.storage.http.wire.Headers;
import io.fastsafetensors.storage.http.wire.Origin;
import io.fastsafetensors.types.Location;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// A resource that may be redirected: later requests go at once where the first one was sent, until that is refused, such as
/// a signed address that has expired. Credentials go to the resource's own server only. Thread-safe.
public final class WebOrigin implements Origin {
    private final Location location;
    private final Address original;
    private final Optional<String> authorization;
    private final String access;
    private volatile @Nullable Address resolved;

    /// @param authorization the value of the Authorization header, secret
    /// @param access what to do if access is refused, for people
    public WebOrigin(Location location, Address original, Optional<String> authorization, String access) {
        this.location = location;
        this.original = original;
        this.authorization = authorization;
        this.access = access;
    }

    @Override
    public Location location() {
        return location;
    }

    @Override
    public Address address() {
        Address now = resolved;
        return now == null ? original : now;
    }

    @Override
    public void authorize(String method, Address address, Headers headers) {
        if (address.isSameServer(original)) {
            authorization.ifPresent(value -> headers.set("authorization", value));
        }
    }

    @Override
    public void redirected(Address to) {
        resolved = to;
    }

    @Override
    public boolean renew(Address tried, Head head, Optional<String> code) {
        resolved = null;
        return !tried.equals(original);
    }

    @Override
    public String remedy(Head head, Optional<String> code) {
        return head.status() == 401 || head.status() == 403 ? access : Origin.super.remedy(head, code);
    }
}
