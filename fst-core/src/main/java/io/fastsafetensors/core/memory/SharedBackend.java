package io.fastsafetensors.core.memory;

import io.fastsafetensors.spi.Backend;
import java.util.function.Consumer;

/// An opened backend with a count of its holders (loaders, buffers, pools); the last one closes it.
public final class SharedBackend {
    private final Backend backend;
    private final Consumer<SharedBackend> closing;
    private final Holders holders = new Holders();

    /// Takes over `backend`; one holder.
    ///
    /// @param closing told of this before the backend is closed
    public SharedBackend(Backend backend, Consumer<SharedBackend> closing) {
        this.backend = backend;
        this.closing = closing;
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

    /// One holder more, unless it was closed already.
    public boolean tryRetain() {
        return holders.tryAdd();
    }

    /// One holder less; the last closes the backend.
    public void release() {
        if (holders.remove()) {
            closing.accept(this);
            backend.close();
        }
    }
}
