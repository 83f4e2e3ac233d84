package io.fastsafetensors.core.memory;

import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.Releases;
import java.util.function.Consumer;

/// An opened backend with a count of its references (of loaders, buffers, pools); the last one closes it.
public final class SharedBackend {
    private final Backend backend;
    private final Consumer<SharedBackend> closing;
    private final References references = new References();

    /// Takes over `backend`; one reference.
    ///
    /// @param closing told of this before the backend is closed
    public SharedBackend(Backend backend, Consumer<SharedBackend> closing) {
        this.backend = backend;
        this.closing = closing;
    }

    /// The backend; use it only while there is a reference to it.
    public Backend get() {
        return backend;
    }

    /// One reference more.
    ///
    /// @throws IllegalStateException if it was closed already
    public void retain() {
        references.retain("the device");
    }

    /// One reference more, unless it was closed already.
    public boolean tryRetain() {
        return references.tryRetain();
    }

    /// One reference less; the last closes the backend.
    public void release() {
        if (references.release()) {
            new Releases().run(() -> closing.accept(this)).run(backend::close).finish();
        }
    }
}
