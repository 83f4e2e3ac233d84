package io.fastsafetensors.storage.http.wire;

import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Optional;

/// The address of a resource on an HTTP server, without user information and fragment. Immutable. Its text is the server's
/// only, because a path or a query may hold a secret.
///
/// @param tls whether the scheme is https
/// @param host in lower case; an IPv6 address without brackets
/// @param port never 0
/// @param target path and query as a request line has them
public record Address(boolean tls, String host, int port, String target) {
    private static final int HTTP = 80;
    private static final int HTTPS = 443;

    /// Reads a URL. User information is left out: see [#userInformation(String)].
    ///
    /// @throws IllegalArgumentException if it is none, without repeating it
    public static Address of(String url) {
        int colon = url.indexOf("://");
        String scheme = colon < 0 ? "" : url.substring(0, colon).toLowerCase(Locale.ROOT);
        if (!scheme.equals("http") && !scheme.equals("https")) {
            throw new IllegalArgumentException("no address of the form https://host/path");
        }
        int begin = colon + 3;
        int end = endOfAuthority(url, begin);
        String authority = url.substring(begin, end);
        String server = authority.substring(authority.lastIndexOf('@') + 1);
        boolean tls = scheme.equals("https");
        int bracket = server.lastIndexOf(']');
        int portColon = server.indexOf(':', Math.max(bracket, 0));
        String host = portColon < 0 ? server : server.substring(0, portColon);
        if (host.startsWith("[") && host.endsWith("]")) {
            host = host.substring(1, host.length() - 1);
        }
        if (host.isEmpty() || !host.chars().allMatch(c -> c > ' ' && c < 0x7f && c != '"' && c != '\\')) {
            throw new IllegalArgumentException("no host, or one that is not ASCII; write it as xn--…");
        }
        int port = portColon < 0 || portColon + 1 == server.length() ? (tls ? HTTPS : HTTP)
                : port(server.substring(portColon + 1));
        return new Address(tls, host.toLowerCase(Locale.ROOT), port, target(url.substring(end)));
    }

    private static int endOfAuthority(String url, int begin) {
        int end = begin;
        while (end < url.length() && "/?#".indexOf(url.charAt(end)) < 0) {
            end++;
        }
        return end;
    }

    private static int port(String text) {
        if (!text.matches("[0-9]{1,5}") || Integer.parseInt(text) == 0 || Integer.parseInt(text) > 0xffff) {
            throw new IllegalArgumentException("a port that is no number from 1 to 65535");
        }
        return Integer.parseInt(text);
    }

    /// Path and query without the fragment; what may not stand in a request line is percent-encoded.
    private static String target(String rest) {
        int fragment = rest.indexOf('#');
        String text = fragment < 0 ? rest : rest.substring(0, fragment);
        StringBuilder target = new StringBuilder(text.length() + 1);
        if (!text.startsWith("/")) {
            target.append('/');
        }
        for (byte b : text.getBytes(StandardCharsets.UTF_8)) {
            int c = b & 0xff;
            if (c <= ' ' || c >= 0x7f || c == '"' || c == '<' || c == '>' || c == '\\') {
                target.append(String.format(Locale.ROOT, "%%%02X", c));
            } else {
                target.append((char) c);
            }
        }
        return target.toString();
    }

    /// What stands before the `@` of a URL, percent-encoded; a secret.
    public static Optional<String> userInformation(String url) {
        int begin = url.indexOf("://") + 3;
        String authority = url.substring(begin, endOfAuthority(url, begin));
        int at = authority.lastIndexOf('@');
        return at < 0 ? Optional.empty() : Optional.of(authority.substring(0, at));
    }

    /// Where a redirect from here leads.
    ///
    /// @param location the header's value, absolute or relative
    /// @throws IllegalArgumentException if it leads nowhere, without repeating it
    public Address redirect(String location) {
        if (location.matches("[A-Za-z][A-Za-z0-9+.-]*:.*")) {
            return of(location);
        }
        if (location.startsWith("//")) {
            return of((tls ? "https:" : "http:") + location);
        }
        if (location.startsWith("/")) {
            return withTarget(target(location));
        }
        int query = target.indexOf('?');
        String path = query < 0 ? target : target.substring(0, query);
        return withTarget(target(location.startsWith("?") ? path + location
                : path.substring(0, path.lastIndexOf('/') + 1) + location));
    }

    private Address withTarget(String other) {
        return new Address(tls, host, port, other);
    }

    /// Whether both are on one server: scheme, host and port.
    public boolean isSameServer(Address other) {
        return tls == other.tls && port == other.port && host.equals(other.host);
    }

    /// What the Host header says: the port only if it is not the scheme's own.
    public String hostHeader() {
        String name = host.indexOf(':') < 0 ? host : "[" + host + "]";
        return port == (tls ? HTTPS : HTTP) ? name : name + ":" + port;
    }

    /// The server, for people and as a key.
    public String server() {
        return (tls ? "https://" : "http://") + hostHeader();
    }

    /// The server.
    @Override
    public String toString() {
        return server();
    }
}
