package io.fastsafetensors.core.memory;

import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.types.DeviceHandle;

/// A reference-counted device buffer: the last release frees it. Starts with one reference.
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
    private final boolean hostAddressable;
    private final References references = new References();

    /// Who counts a buffer's memory.
    interface Owner {
        /// Asked once, when the last reference was released: whether it takes the buffer instead of having it freed.
        boolean keeps(DeviceBuffer buffer);

        /// The device has the memory back.
        void freed();
    }

    /// Takes over `buffer`, and retains the backend that it came from.
    public SharedBuffer(DeviceBuffer buffer, SharedBackend backend) {
        this(buffer, backend, NOBODY);
    }

    /// @param owner who counts the memory
    SharedBuffer(DeviceBuffer buffer, SharedBackend backend, Owner owner) {
        this.buffer = buffer;
        this.backend = backend;
        this.owner = owner;
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
        if (owner.keeps(buffer)) {
            backend.release();
        } else if (hostAddressable) {
            DeferredClose.close(buffer::close, this::freed);
        } else {
            new Releases().run(buffer::close).run(this::freed).finish();
        }
    }

    private void freed() {
        new Releases().run(owner::freed).run(backend::release).finish();
    }

    /// The pointer or object of byte `offset`.
    public DeviceHandle handle(long offset) {
        return buffer.handle().plus(offset);
    }
}
