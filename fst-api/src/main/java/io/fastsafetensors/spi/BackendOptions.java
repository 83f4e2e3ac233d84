package io.fastsafetensors.spi;

import java.util.Map;
import java.util.Objects;

/// What a loader tells a backend when it opens it. Immutable; made by changing [#defaults()].
public final class BackendOptions {
    private static final BackendOptions DEFAULTS = new BackendOptions(false, Map.of());

    private final boolean strict;
    private final Map<String, String> properties;

    /// What version 1 of the SPI had; [#defaults()] has what was added since.
    ///
    /// @param strict whether a faster transfer path that is missing (direct storage) is an error instead of a fallback
    /// @param properties further switches by name, from `LoadOptions.backendProperties`; each backend documents its own
    public BackendOptions(boolean strict, Map<String, String> properties) {
        this.strict = strict;
        this.properties = Map.copyOf(properties);
    }

    /// Not strict, no switches.
    public static BackendOptions defaults() {
        return DEFAULTS;
    }

    /// The same, strict or not: see [#strict()].
    public BackendOptions withStrict(boolean demanded) {
        return new BackendOptions(demanded, properties);
    }

    /// The same, with these switches by name.
    public BackendOptions withProperties(Map<String, String> switches) {
        return new BackendOptions(strict, switches);
    }

    /// Whether a faster transfer path that is missing (direct storage) is an error instead of a fallback.
    public boolean strict() {
        return strict;
    }

    /// Further switches by name, from `LoadOptions.backendProperties`; each backend documents its own.
    public Map<String, String> properties() {
        return properties;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof BackendOptions that && strict == that.strict && properties.equals(that.properties);
    }

    @Override
    public int hashCode() {
        return Objects.hash(strict, properties);
    }

    /// The names of the switches; values may be secret.
    @Override
    public String toString() {
        return "BackendOptions[strict=" + strict + ", properties=" + properties.keySet() + "]";
    }
}
