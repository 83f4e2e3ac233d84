package io.fastsafetensors.storage.http.wire;

import io.fastsafetensors.types.Percent;
import java.util.Base64;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/// Headers of a request, in the order of their names. Its text has the names only. Not thread-safe.
public final class Headers {
    private final Map<String, String> values = new TreeMap<>();

    /// None.
    public Headers() {
    }

    /// Sets a header.
    ///
    /// @param name in any case
    /// @throws IllegalArgumentException if the value has a line break, without repeating it
    public Headers set(String name, String value) {
        if (value.indexOf('\n') >= 0 || value.indexOf('\r') >= 0) {
            throw new IllegalArgumentException("header " + name + " has a line break");
        }
        values.put(name.toLowerCase(Locale.ROOT), value);
        return this;
    }

    /// The value of an Authorization header for a user and a password.
    ///
    /// @param userInformation `user:password`, percent-encoded as in an address
    public static String basic(String userInformation) {
        return "Basic " + Base64.getEncoder().encodeToString(Percent.decode(userInformation));
    }

    /// Names in lower case and values, in order of the names.
    public Map<String, String> values() {
        return values;
    }

    /// The names.
    @Override
    public String toString() {
        return values.keySet().toString();
    }
}
