package io.fastsafetensors.spi;

import java.util.Map;

/// Options that a loader passes to a backend when it opens it.
///
/// @param strict whether a faster way that is missing (direct storage) is an error instead of a fallback
/// @param properties further switches by name, from `LoadOptions.backendProperties`; each backend documents its own
public record BackendOptions(boolean strict, Map<String, String> properties) {
    /// Copies the map.
    public BackendOptions {
        properties = Map.copyOf(properties);
    }

    /// Not strict, no switches.
    public static BackendOptions defaults() {
        return new BackendOptions(false, Map.of());
    }
}
