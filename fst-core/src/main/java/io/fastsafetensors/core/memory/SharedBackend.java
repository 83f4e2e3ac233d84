package io.fastsafetensors.core.memory;

import io.fastsafetensors.spi.Backend;
import java.util.concurrent.atomic.AtomicInteger;

/// An opened backend with a count of its holders (the loader, and every buffer); the last one closes it.
public final class SharedBackend {
    private final Backend backend;
    private final AtomicInteger holders = new AtomicInteger(1);

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
        int now;
        do {
            now = holders.get();
            if (now == 0) {
                throw new IllegalStateException("the device is closed");
            }
        } while (!holders.compareAndSet(now, now + 1));
    }

    /// One holder less; the last closes the backend.
    public void release() {
        if (holders.decrementAndGet() == 0) {
            backend.close();
        }
    }
}
