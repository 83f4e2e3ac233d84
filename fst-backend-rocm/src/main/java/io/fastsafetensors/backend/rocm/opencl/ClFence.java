package io.fastsafetensors.backend.rocm.opencl;

import io.fastsafetensors.spi.Fence;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/// The event of the last command before it; none where nothing was pending.
final class ClFence implements Fence {
    private final OpenClBackend backend;
    private final @Nullable ClEvent event;
    private final AtomicBoolean closed = new AtomicBoolean();

    /// @param event held for this fence
    ClFence(OpenClBackend backend, @Nullable ClEvent event) {
        this.backend = backend;
        this.event = event;
    }

    @Override
    public boolean isPassed() {
        ClEvent held = hold();
        if (held == null) {
            return true;
        }
        try {
            int status = held.status();
            ClEvent.check(status);
            return status == 0;
        } finally {
            held.release();
        }
    }

    @Override
    public void await() {
        ClEvent held = hold();
        if (held == null) {
            return;
        }
        try {
            ClEvent.check(held.await());
        } finally {
            held.release();
        }
    }

    @Override
    public void close() {
        if (event != null && closed.compareAndSet(false, true)) {
            event.release();
        }
    }

    boolean isOf(OpenClBackend other) {
        return backend == other;
    }

    /// The event, held for the caller; null where there is none to wait for.
    ///
    /// @throws IllegalStateException if the fence is closed
    @Nullable
    ClEvent hold() {
        if (event == null) {
            return null;
        }
        if (closed.get() || !event.hold()) {
            throw new IllegalStateException("the fence is closed");
        }
        return event;
    }
}
