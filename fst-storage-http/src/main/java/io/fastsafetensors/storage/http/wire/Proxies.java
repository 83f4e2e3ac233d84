package io.fastsafetensors.storage.http.wire;

import java.util.Locale;
import java.util.Optional;

/// Chooses the proxy of a server by the setting `http.proxy` and the variables `http_proxy`, `https_proxy` and `no_proxy`, as
/// curl does: capitals count too, except `HTTP_PROXY`, which a CGI program's client can set. Immutable.
final class Proxies {
    private static final String NONE = "none";
    /// Addresses of this machine's own metadata services, which no proxy reaches.
    private static final String LINK_LOCAL = "169.254.";

    /// A proxy.
    ///
    /// @param authorization the value of Proxy-Authorization, secret; empty without user information
    record Proxy(Address address, Optional<String> authorization) {
        @Override
        public String toString() {
            return address.server();
        }
    }

    private final Optional<Proxy> plain;
    private final Optional<Proxy> tls;
    private final String[] exceptions;

    Proxies(HttpSettings settings) {
        Optional<String> all = settings.text("http.proxy");
        this.plain = all.or(() -> settings.variable("http_proxy")).flatMap(url -> proxy(url));
        this.tls = all.or(() -> settings.variable("https_proxy")).or(() -> settings.variable("HTTPS_PROXY"))
                .flatMap(url -> proxy(url));
        this.exceptions = settings.variable("no_proxy").or(() -> settings.variable("NO_PROXY")).orElse("")
                .toLowerCase(Locale.ROOT).split("[\\s,]+");
    }

    private static Optional<Proxy> proxy(String text) {
        if (text.equals(NONE)) {
            return Optional.empty();
        }
        String url = text.contains("://") ? text : "http://" + text;
        Address address;
        try {
            address = Address.of(url);
        } catch (IllegalArgumentException _) {
            throw HttpSettings.bad("http.proxy (or variable http_proxy, https_proxy)",
                    "an address such as http://host:3128");
        }
        if (address.tls()) {
            throw HttpSettings.bad("http.proxy (or variable http_proxy, https_proxy)",
                    "a proxy that is itself reached by http; TLS to a proxy is not supported");
        }
        return Optional.of(new Proxy(address, Address.userInformation(url).map(Headers::basic)));
    }

    /// The proxy through which a server is reached; empty if it is reached directly.
    Optional<Proxy> of(Address server) {
        if (server.host().startsWith(LINK_LOCAL)) {
            return Optional.empty();
        }
        for (String exception : exceptions) {
            if (exception.equals("*") || isExcepted(server, exception)) {
                return Optional.empty();
            }
        }
        return server.tls() ? tls : plain;
    }

    private static boolean isExcepted(Address server, String exception) {
        String name = exception;
        if (exception.matches("([^:]+|\\[.*]):[0-9]+")) {
            int colon = exception.lastIndexOf(':');
            if (!exception.substring(colon + 1).equals(Integer.toString(server.port()))) {
                return false;
            }
            name = exception.substring(0, colon);
        }
        name = name.startsWith("[") && name.endsWith("]") ? name.substring(1, name.length() - 1) : name;
        name = name.startsWith("*.") ? name.substring(2) : name.startsWith(".") ? name.substring(1) : name;
        return !name.isEmpty() && (server.host().equals(name) || server.host().endsWith("." + name));
    }
}
