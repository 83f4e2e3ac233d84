package io.fastsafetensors.backend.cuda;

import io.fastsafetensors.backend.cuda.driver.CudaDriver;
import io.fastsafetensors.backend.cuda.driver.CudaDriver.Event;
import io.fastsafetensors.gpu.EventPool;
import io.fastsafetensors.spi.Fence;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;

/// A recorded event. It goes back to the pool when the fence is closed and nobody waits for it any more.
final class CudaFence implements Fence {
    /// How long to ask again and again: a block of 4 MiB takes some 80 µs to copy, waking a sleeper about as long.
    private static final long SPIN_NANOS = 20_000;
    private static final int FLAGS = CudaDriver.CU_EVENT_DISABLE_TIMING | CudaDriver.CU_EVENT_BLOCKING_SYNC;

    private final CudaContext context;
    private final CudaDriver driver;
    private final EventPool<Event> events;
    private final Event event;
    /// One for the fence while it is open, one for each thread that uses the event.
    private final AtomicInteger users = new AtomicInteger(1);
    private final AtomicBoolean closed = new AtomicBoolean();
    private volatile boolean passed;

    /// @param event recorded; the fence's own from now on
    private CudaFence(CudaContext context, EventPool<Event> events, Event event) {
        this.context = context;
        this.driver = context.driver();
        this.events = events;
        this.event = event;
    }

    /// The pool of a backend's events.
    static EventPool<Event> pool(CudaContext context) {
        CudaDriver driver = context.driver();
        return new EventPool<>(() -> created(context),
                event -> context.run("cuEventDestroy", () -> driver.cuEventDestroy(event)));
    }

    private static Event created(CudaContext context) {
        Event[] created = new Event[1];
        context.enter();
        try {
            context.status().check("cuEventCreate", context.driver().cuEventCreate(created, FLAGS));
        } finally {
            context.leave();
        }
        return created[0];
    }

    /// A fence behind what was submitted to a stream, of the backend or of the program's own.
    static CudaFence recorded(CudaContext context, EventPool<Event> events, CudaDriver.Stream stream) {
        Event event = events.take();
        try {
            context.enter();
            try {
                context.status().check("cuEventRecord", context.driver().cuEventRecord(event, stream));
            } finally {
                context.leave();
            }
        } catch (RuntimeException e) {
            events.giveBack(event);
            throw e;
        }
        return new CudaFence(context, events, event);
    }

    @Override
    public boolean isPassed() {
        enter();
        try {
            return ask();
        } finally {
            leave();
        }
    }

    @Override
    public void await() {
        enter();
        try {
            long start = System.nanoTime();
            while (!ask()) {
                if (System.nanoTime() - start > SPIN_NANOS) {
                    synchronize();
                    passed = true;
                    return;
                }
                Thread.onSpinWait();
            }
        } finally {
            leave();
        }
    }

    private void synchronize() {
        context.enter();
        try {
            context.status().check("cuEventSynchronize", driver.cuEventSynchronize(event));
        } finally {
            context.leave();
        }
    }

    /// Makes later work of a stream wait on the device.
    void holdBack(CudaDriver.Stream stream) {
        enter();
        try {
            if (!passed) {
                context.run("cuStreamWaitEvent", () -> driver.cuStreamWaitEvent(stream, event));
            }
        } finally {
            leave();
        }
    }

    @Override
    public void close() {
        if (closed.compareAndSet(false, true)) {
            leave();
        }
    }

    private boolean ask() {
        if (passed) {
            return true;
        }
        context.enter();
        try {
            int result = driver.cuEventQuery(event);
            if (result == CudaDriver.CUDA_ERROR_NOT_READY) {
                return false;
            }
            context.status().check("cuEventQuery", result);
        } finally {
            context.leave();
        }
        passed = true;
        return true;
    }

    private void enter() {
        events.requireOpen();
        if (closed.get() || users.getAndUpdate(n -> n == 0 ? 0 : n + 1) == 0) {
            throw new IllegalStateException("the fence is closed");
        }
    }

    private void leave() {
        if (users.decrementAndGet() == 0) {
            events.giveBack(event);
        }
    }
}
