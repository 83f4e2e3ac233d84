package io.fastsafetensors.core.memory;

import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.types.DeviceHandle;
import java.util.function.Predicate;

/// A reference-counted device buffer: the last release frees it. Starts with one reference.
public final class SharedBuffer {
    private final DeviceBuffer buffer;
    private final SharedBackend backend;
    private final Predicate<DeviceBuffer> keeper;
    private final boolean hostAddressable;
    private final References references = new References();

    /// Takes over `buffer`, and retains the backend that it came from.
    public SharedBuffer(DeviceBuffer buffer, SharedBackend backend) {
        this(buffer, backend, _ -> false);
    }

    /// @param keeper asked once, when the last reference is released, whether it takes the buffer instead
    SharedBuffer(DeviceBuffer buffer, SharedBackend backend, Predicate<DeviceBuffer> keeper) {
        this.buffer = buffer;
        this.backend = backend;
        this.keeper = keeper;
        this.hostAddressable = buffer.segment().isPresent();
        backend.retain();
    }

    /// The buffer; use it only while there is a reference to it.
    public DeviceBuffer buffer() {
        return buffer;
    }

    /// The backend that it came from.
    public SharedBackend backend() {
        return backend;
    }

    /// One reference more.
    ///
    /// @throws IllegalStateException if it was freed already
    public SharedBuffer retain() {
        references.retain("the memory");
        return this;
    }

    /// One reference less; the last frees the memory, or has it freed when native code lets go of it.
    ///
    /// @throws RuntimeException what the backend says to freeing it; the backend is released in any case
    public void release() {
        if (!references.release()) {
            return;
        }
        if (keeper.test(buffer)) {
            backend.release();
        } else if (hostAddressable) {
            DeferredClose.close(buffer::close, backend::release);
        } else {
            new Releases().run(buffer::close).run(backend::release).finish();
        }
    }

    /// The pointer or object of byte `offset`.
    public DeviceHandle handle(long offset) {
        return buffer.handle().plus(offset);
    }
}
