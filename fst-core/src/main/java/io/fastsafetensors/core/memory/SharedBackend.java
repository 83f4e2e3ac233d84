package io.fastsafetensors.core.memory;

import io.fastsafetensors.spi.Backend;

/// An opened backend with a count of its holders (the loader, and every buffer); the last one closes it.
public final class SharedBackend {
    private final Backend backend;
    private final Holders holders = new Holders();

    /// Takes over `backend`; one holder.
    public SharedBackend(Backend backend) {
        this.backend = backend;
    }

    /// The backend; use it only while holding it.
    public Backend get() {
        return backend;
    }

    /// One holder more.
    ///
    /// @throws IllegalStateException if it was closed already
    public void retain() {
        holders.add("the device");
    }

    /// One holder less; the last closes the backend.
    public void release() {
        if (holders.remove()) {
            backend.close();
        }
    }
}
