package io.fastsafetensors.gpu;

import io.fastsafetensors.spi.Releases;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Consumer;
import java.util.function.Supplier;

/// The events of one backend's fences, recorded again and again: creating one takes a lock in the driver. There are as
/// many as there were fences at the same time. Thread-safe and without locks.
///
/// @param <E> the driver's event
public final class EventPool<E> {
    private final Supplier<E> create;
    private final Consumer<E> destroy;
    private final Queue<E> idle = new ConcurrentLinkedQueue<>();
    private final Queue<E> all = new ConcurrentLinkedQueue<>();
    private volatile boolean closed;

    /// No event yet.
    ///
    /// @param create makes one
    /// @param destroy destroys one, recorded or not
    public EventPool(Supplier<E> create, Consumer<E> destroy) {
        this.create = create;
        this.destroy = destroy;
    }

    /// Refuses to go on once it is closed.
    ///
    /// @throws IllegalStateException once closed
    public void requireOpen() {
        if (closed) {
            throw new IllegalStateException("the backend of the fence is closed");
        }
    }

    /// An event for the taker alone.
    ///
    /// @throws IllegalStateException once closed
    public E take() {
        requireOpen();
        E event = idle.poll();
        return event != null ? event : create();
    }

    /// Takes an event back, whether or not the work before it has ended: recording it again forgets that.
    public void giveBack(E event) {
        idle.add(event);
    }

    private E create() {
        E event = create.get();
        all.add(event);
        if (closed && all.remove(event)) {
            // Closed meanwhile, without having seen this one.
            destroy.accept(event);
            requireOpen();
        }
        return event;
    }

    /// Destroys all events, those that were taken included.
    ///
    /// @param releases takes what goes wrong
    public void close(Releases releases) {
        closed = true;
        for (E event = all.poll(); event != null; event = all.poll()) {
            E each = event;
            releases.run(() -> destroy.accept(each));
        }
        idle.clear();
    }
}
