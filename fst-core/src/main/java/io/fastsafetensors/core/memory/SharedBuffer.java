package io.fastsafetensors.core.memory;

import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.types.DeviceHandle;

/// A device buffer with a count of its holders; the last one to let go frees it. Starts with one holder.
public final class SharedBuffer {
    private static final Owner NOBODY = new Owner() {
        @Override
        public boolean keeps(DeviceBuffer buffer) {
            return false;
        }

        @Override
        public void freed() {
            // Nobody counts it.
        }
    };

    private final DeviceBuffer buffer;
    private final SharedBackend backend;
    private final Owner owner;
    private final Holders holders = new Holders();

    /// Who counts a buffer's memory.
    interface Owner {
        /// Asked once, when the last reference was released: whether it takes the buffer instead of having it freed.
        boolean keeps(DeviceBuffer buffer);

        /// The device has the memory back.
        void freed();
    }

    /// Takes over `buffer`, and a hold on the backend that it came from.
    public SharedBuffer(DeviceBuffer buffer, SharedBackend backend) {
        this(buffer, backend, NOBODY);
    }

    /// @param owner who counts the memory
    SharedBuffer(DeviceBuffer buffer, SharedBackend backend, Owner owner) {
        this.buffer = buffer;
        this.backend = backend;
        this.owner = owner;
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
        if (owner.keeps(buffer)) {
            backend.release();
        } else {
            DeferredClose.close(buffer::close, this::freed);
        }
    }

    private void freed() {
        try {
            owner.freed();
        } finally {
            backend.release();
        }
    }

    /// The pointer or object of byte `offset`.
    public DeviceHandle handle(long offset) {
        return buffer.handle().plus(offset);
    }
}
