package io.fastsafetensors.spi.storage;

import java.util.Map;
import java.util.Optional;

/// Options that a storage gets when it is opened. Immutable.
public final class StorageOptions {
    private static final StorageOptions NONE = new StorageOptions(Map.of());

    private final Map<String, String> properties;

    private StorageOptions(Map<String, String> properties) {
        this.properties = Map.copyOf(properties);
    }

    /// Nothing set.
    public static StorageOptions none() {
        return NONE;
    }

    /// These properties, by names that each storage documents.
    public static StorageOptions of(Map<String, String> properties) {
        return new StorageOptions(properties);
    }

    /// The value of a property, if it is set.
    public Optional<String> property(String name) {
        return Optional.ofNullable(properties.get(name));
    }

    /// The names that are set; values may be secret.
    @Override
    public String toString() {
        return "StorageOptions" + properties.keySet();
    }
}
