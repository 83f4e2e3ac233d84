package io.fastsafetensors.backend.rocm.hip;

import io.fastsafetensors.backend.rocm.hip.ffm.Hip;
import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.spi.base.Lifetime;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashSet;
import java.util.Set;

/// The events of a backend's fences, used again and again: a load makes a fence for each block. Thread-safe.
final class EventPool {
    private static final int FLAGS = Hip.EVENT_DISABLE_TIMING | Hip.EVENT_BLOCKING_SYNC;

    private final HipDevice device;
    private final Lifetime backend;
    private final Deque<Long> idle = new ArrayDeque<>();
    private final Set<Long> all = new HashSet<>();

    EventPool(HipDevice device, Lifetime backend) {
        this.device = device;
        this.backend = backend;
    }

    /// An event for the taker alone.
    ///
    /// @throws IllegalStateException if the backend is closed
    synchronized long take() {
        backend.requireOpen();
        Long event = idle.poll();
        if (event == null) {
            event = device.make("hipEventCreateWithFlags",
                    made -> device.hip().hipEventCreateWithFlags(made, FLAGS), this::destroy);
            all.add(event);
        }
        return event;
    }

    /// Takes an event back, whether or not the work before it is done: recording it anew forgets that.
    synchronized void give(long event) {
        if (all.contains(event)) {
            idle.push(event);
        }
    }

    /// Whether the event still exists.
    ///
    /// @throws IllegalStateException if the backend is closed
    void requireOpen() {
        backend.requireOpen();
    }

    /// Destroys all events, those that were taken included.
    synchronized void close(Releases releases) {
        for (long event : all) {
            releases.run(() -> destroy(event));
        }
        all.clear();
        idle.clear();
    }

    private void destroy(long event) {
        device.runtime().check("hipEventDestroy", device.hip().hipEventDestroy(event));
    }
}
