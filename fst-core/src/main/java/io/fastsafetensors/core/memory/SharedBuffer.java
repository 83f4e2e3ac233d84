package io.fastsafetensors.core.memory;

import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.types.DeviceHandle;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;

/// A device buffer with a count of its holders; the last one to let go frees it. Starts with one holder.
public final class SharedBuffer {
    private static final Logger LOG = System.getLogger("io.fastsafetensors.core");

    private final DeviceBuffer buffer;
    private final SharedBackend backend;
    private final Predicate<DeviceBuffer> keeper;
    private final Holders holders = new Holders();
    /// What must pass before the memory is freed or used again; guarded by itself.
    private final List<Fence> pending = new ArrayList<>();

    /// Takes over `buffer`, and a hold on the backend that it came from.
    public SharedBuffer(DeviceBuffer buffer, SharedBackend backend) {
        this(buffer, backend, _ -> false);
    }

    /// @param keeper asked once, when the last holder has let go, whether it takes the buffer instead
    SharedBuffer(DeviceBuffer buffer, SharedBackend backend, Predicate<DeviceBuffer> keeper) {
        this.buffer = buffer;
        this.backend = backend;
        this.keeper = keeper;
        backend.retain();
    }

    /// The buffer; use it only while holding it.
    public DeviceBuffer buffer() {
        return buffer;
    }

    /// The backend that it came from.
    public SharedBackend backend() {
        return backend;
    }

    /// One holder more.
    ///
    /// @throws IllegalStateException if it was freed already
    public SharedBuffer retain() {
        holders.add("the memory");
        return this;
    }

    /// Keeps the memory, once nobody holds it any more, until a fence has passed. Call it while holding the buffer.
    ///
    /// @param fence taken over
    public void releaseAfter(Fence fence) {
        synchronized (pending) {
            pending.removeIf(SharedBuffer::isOver);
            pending.add(fence);
        }
    }

    /// Closes a fence that has passed, so that a tensor which is used ten thousand times keeps few of them.
    private static boolean isOver(Fence fence) {
        boolean passed;
        try {
            passed = fence.isPassed();
        } catch (BackendException e) {
            // Kept, so that the memory is not used again.
            return false;
        }
        if (passed) {
            fence.close();
        }
        return passed;
    }

    /// One holder less; the last frees the memory, when all that it was to be kept for has passed.
    public void release() {
        if (!holders.remove()) {
            return;
        }
        if (awaitPending() && keeper.test(buffer)) {
            backend.release();
        } else {
            DeferredClose.close(buffer::close, backend::release);
        }
    }

    /// Waits for what the memory was to be kept for.
    ///
    /// @return whether it succeeded: memory that failed work has left is not used again
    private boolean awaitPending() {
        List<Fence> fences;
        synchronized (pending) {
            fences = List.copyOf(pending);
            pending.clear();
        }
        Releases waiting = new Releases();
        fences.forEach(fence -> waiting.run(fence::await).run(fence::close));
        // Whose work it is learns of it from the stream; who frees memory can do nothing about it.
        waiting.failure().ifPresent(e -> LOG.log(Level.WARNING, "work on a stream of the program's own failed", e));
        return waiting.failure().isEmpty();
    }

    /// The pointer or object of byte `offset`.
    public DeviceHandle handle(long offset) {
        return buffer.handle().plus(offset);
    }
}
