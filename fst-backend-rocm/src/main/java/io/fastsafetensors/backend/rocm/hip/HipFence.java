package io.fastsafetensors.backend.rocm.hip;

import io.fastsafetensors.backend.rocm.hip.ffm.Hip;
import io.fastsafetensors.gpu.EventPool;
import io.fastsafetensors.spi.Fence;
import java.util.function.LongConsumer;
import java.util.function.LongToIntFunction;

/// An event behind the work of a stream. The event goes back to the pool when the fence is closed and nobody is asking
/// it any more.
final class HipFence implements Fence {
    private static final int FLAGS = Hip.EVENT_DISABLE_TIMING | Hip.EVENT_BLOCKING_SYNC;

    private final HipDevice device;
    private final EventPool<Long> pool;
    private final long event;
    private volatile boolean passed;
    private int users;
    private boolean closed;

    /// @param event recorded, from the pool
    private HipFence(HipDevice device, EventPool<Long> pool, long event) {
        this.device = device;
        this.pool = pool;
        this.event = event;
    }

    /// The pool of a backend's events.
    static EventPool<Long> pool(HipDevice device) {
        LongConsumer destroy = event -> device.runtime().check("hipEventDestroy", device.hip().hipEventDestroy(event));
        return new EventPool<>(() -> device.make("hipEventCreateWithFlags",
                made -> device.hip().hipEventCreateWithFlags(made, FLAGS), destroy), destroy::accept);
    }

    /// A fence behind what was submitted to a stream, of this backend or not.
    static HipFence behind(HipDevice device, EventPool<Long> events, long stream) {
        long event = events.take();
        try (HipDevice.Current _ = device.makeCurrent()) {
            device.runtime().check("hipEventRecord", device.hip().hipEventRecord(event, stream));
        } catch (RuntimeException e) {
            events.giveBack(event);
            throw e;
        }
        return new HipFence(device, events, event);
    }

    @Override
    public boolean isPassed() {
        return passed || isDone("hipEventQuery", device.hip()::hipEventQuery);
    }

    @Override
    public void await() {
        if (!passed) {
            isDone("hipEventSynchronize", device.hip()::hipEventSynchronize);
        }
    }

    /// Whether a stream that draws events from this pool can wait for the fence.
    boolean isOf(EventPool<Long> others) {
        return pool == others;
    }

    /// Lets a call use the event.
    ///
    /// @throws IllegalStateException if the fence or its backend is closed
    int use(LongToIntFunction call) {
        enter();
        try {
            return call.applyAsInt(event);
        } finally {
            leave();
        }
    }

    private boolean isDone(String name, LongToIntFunction call) {
        int status = use(call);
        if (status == Hip.NOT_READY) {
            return false;
        }
        device.runtime().check(name, status);
        passed = true;
        return true;
    }

    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            giveBack();
        }
    }

    private synchronized void enter() {
        if (closed) {
            throw new IllegalStateException("the fence is closed");
        }
        pool.requireOpen();
        users++;
    }

    private synchronized void leave() {
        users--;
        giveBack();
    }

    private void giveBack() {
        if (closed && users == 0) {
            pool.giveBack(event);
        }
    }
}
