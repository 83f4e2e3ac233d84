package io.fastsafetensors.core.memory;

import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.types.DeviceHandle;
import java.util.function.Predicate;

/// A device buffer with a count of its holders; the last one to let go frees it. Starts with one holder.
public final class SharedBuffer {
    private final DeviceBuffer buffer;
    private final SharedBackend backend;
    private final Predicate<DeviceBuffer> keeper;
    private final Holders holders = new Holders();

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

    /// One holder less; the last frees the memory.
    public void release() {
        if (!holders.remove()) {
            return;
        }
        if (keeper.test(buffer)) {
            backend.release();
        } else {
            DeferredClose.close(buffer::close, backend::release);
        }
    }

    /// The pointer or object of byte `offset`.
    public DeviceHandle handle(long offset) {
        return buffer.handle().plus(offset);
    }
}
