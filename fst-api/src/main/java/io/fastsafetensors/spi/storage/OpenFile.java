package io.fastsafetensors.spi.storage;

import io.fastsafetensors.types.Location;
import java.util.Objects;

/// A base for storage files: keeps the location, refuses calls after the close, and closes once. Thread-safe.
public abstract class OpenFile implements StorageFile {
    private final Location location;
    private volatile boolean closed;

    /// @param location the place where the file was opened
    protected OpenFile(Location location) {
        this.location = Objects.requireNonNull(location, "location");
    }

    @Override
    public final Location location() {
        return location;
    }

    /// Refuses to go on once it is closed.
    ///
    /// @throws IllegalStateException once closed
    protected final void requireOpen() {
        if (closed) {
            throw new IllegalStateException(location + " is closed");
        }
    }

    /// Frees what the file holds. Called once, by the first [#close()].
    protected abstract void release();

    @Override
    public final synchronized void close() {
        if (!closed) {
            closed = true;
            release();
        }
    }

    /// The location.
    @Override
    public String toString() {
        return location.toString();
    }
}
