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

/// A reference-counted device buffer: the last release frees it. Starts with one reference.
///
/// Each user of the memory has a reference: each scope that tensors live in, each operation for its own length, each
/// pin, each DLPack struct. It has the backend open for as long as it exists, so that there is a device to free it on.
/// Thread-safe.
public final class SharedBuffer {
    private static final Logger LOG = System.getLogger("io.fastsafetensors.core");
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
    /// Told when the memory goes; most buffers have an owner that counts nothing.
    private final Owner owner;
    /// Whether segments of it may be inside native calls when it is freed; then a close may have to be tried again.
    private final boolean hostAddressable;
    private final References references = new References();
    /// What must pass before the memory is freed or used again; guarded by itself.
    private final List<Fence> pending = new ArrayList<>();

    /// Accounts for a buffer's memory.
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

    /// Keeps the memory, once nobody holds it any more, until a fence has passed. Call it while holding the buffer.
    ///
    /// Fences that have passed are closed here, so a tensor that is used again and again keeps few.
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

    /// One reference less; the last frees the memory when all that it was to be kept for has passed, or has it freed when
    /// native code has released it.
    ///
    /// The last release may wait: for work of the program's own streams that was announced with
    /// [#releaseAfter(Fence)], and for the driver, which may clear the memory.
    ///
    /// @throws RuntimeException what the backend says to freeing it; the backend is released in any case
    public void release() {
        if (!references.release()) {
            return;
        }
        if (awaitPending() && owner.keeps(buffer)) {
            backend.release();
        } else if (hostAddressable) {
            DeferredClose.close(buffer::close, this::freed);
        } else {
            new Releases().run(buffer::close).run(this::freed).finish();
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

    /// The backend last: an owner may count bytes of it.
    private void freed() {
        new Releases().run(owner::freed).run(backend::release).finish();
    }

    /// The pointer or object of byte `offset`.
    public DeviceHandle handle(long offset) {
        return buffer.handle().plus(offset);
    }
}
