package io.fastsafetensors.spi.storage;

import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

import org.jspecify.annotations.Nullable;

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

    /// The same with one more property, or with another value of it.
    public StorageOptions with(String name, String value) {
        Map<String, String> all = new HashMap<>(properties);
        all.put(Objects.requireNonNull(name, "name"), Objects.requireNonNull(value, "value"));
        return new StorageOptions(all);
    }

    /// The value of a property, if it is set.
    public Optional<String> property(String name) {
        return Optional.ofNullable(properties.get(name));
    }

    /// Equal if the same properties have the same values.
    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof StorageOptions that && properties.equals(that.properties);
    }

    @Override
    public int hashCode() {
        return properties.hashCode();
    }

    /// The names that are set; values may be secret.
    @Override
    public String toString() {
        return "StorageOptions" + properties.keySet();
    }
}
