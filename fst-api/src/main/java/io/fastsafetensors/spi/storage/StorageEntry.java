package io.fastsafetensors.spi.storage;

import io.fastsafetensors.types.Location;

/// One entry of a directory's listing. Immutable.
public final class StorageEntry {
    private final Location location;
    private final Storage.Kind kind;

    private StorageEntry(Location location, Storage.Kind kind) {
        this.location = location;
        this.kind = kind;
    }

    /// An entry.
    ///
    /// @param location the entry's own location
    /// @param kind what it names
    public static StorageEntry of(Location location, Storage.Kind kind) {
        return new StorageEntry(location, kind);
    }

    /// Its location.
    public Location location() {
        return location;
    }

    /// What it names.
    public Storage.Kind kind() {
        return kind;
    }

    /// Its name in the directory.
    public String name() {
        return location.name();
    }

    @Override
    public String toString() {
        return kind + " " + location;
    }
}
