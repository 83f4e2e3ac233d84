package io.fastsafetensors.backend.cuda;

import io.fastsafetensors.backend.cuda.driver.CudaDriver;
import io.fastsafetensors.backend.cuda.driver.CudaDriver.Event;
import io.fastsafetensors.spi.Releases;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;

/// The events of one backend. Creating one takes a lock in the driver, so they are kept and recorded again: as many as
/// there were fences at the same time. Thread-safe and without locks.
final class EventPool {
    private static final int FLAGS = CudaDriver.CU_EVENT_DISABLE_TIMING | CudaDriver.CU_EVENT_BLOCKING_SYNC;

    private final CudaContext context;
    private final CudaDriver driver;
    private final Queue<Event> idle = new ConcurrentLinkedQueue<>();
    private final Queue<Event> all = new ConcurrentLinkedQueue<>();
    private volatile boolean closed;

    EventPool(CudaContext context) {
        this.context = context;
        this.driver = context.driver();
    }

    /// @throws IllegalStateException once closed
    void requireOpen() {
        if (closed) {
            throw new IllegalStateException("the backend of the fence is closed");
        }
    }

    /// An event that nobody else uses.
    Event take() {
        requireOpen();
        Event event = idle.poll();
        return event != null ? event : create();
    }

    void giveBack(Event event) {
        idle.add(event);
    }

    private Event create() {
        Event[] created = new Event[1];
        context.run("cuEventCreate", () -> driver.cuEventCreate(created, FLAGS));
        all.add(created[0]);
        return created[0];
    }

    /// Destroys all events, those in use as well.
    ///
    /// @param releases takes what goes wrong
    void close(Releases releases) {
        closed = true;
        for (Event event = all.poll(); event != null; event = all.poll()) {
            Event each = event;
            releases.run(() -> context.run("cuEventDestroy", () -> driver.cuEventDestroy(each)));
        }
        idle.clear();
    }
}
