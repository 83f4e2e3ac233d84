package io.fastsafetensors.core.memory;

import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Releases;
import java.util.ArrayDeque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The buffers of a stream's batches: what a batch has left, a later one takes, since freeing device memory is dear.
/// A driver may clear it at once, and copies run at half their speed for so long. Thread-safe.
///
/// A batch of more than half a share gets a whole one, so that shares fit any of them. What is kept and what is in use
/// never exceed all shares together.
public final class SpareBuffers implements AutoCloseable {
    private final SharedBackend backend;
    private final long share;
    private final long most;
    private final ArrayDeque<DeviceBuffer> spares = new ArrayDeque<>();
    private long spareBytes;
    private long usedBytes;
    private boolean closed;

    /// None yet.
    ///
    /// @param backend where buffers come from; held until [#close()]
    /// @param share the most bytes of one batch
    /// @param batches how many there are at a time
    public SpareBuffers(SharedBackend backend, long share, int batches) {
        this.backend = backend;
        backend.retain();
        this.share = share;
        this.most = share > Long.MAX_VALUE / batches ? Long.MAX_VALUE : share * batches;
    }

    /// What a batch of `bytes` takes.
    public long sizeFor(long bytes) {
        return bytes > share / 2 && bytes < share ? share : bytes;
    }

    /// A buffer of at least `bytes`; contents undefined. When its last holder lets go it may serve again.
    ///
    /// @param bytes the size, as [#sizeFor(long)] has it for the only buffer of a batch
    /// @param alignment every call has the same one
    /// @throws io.fastsafetensors.error.OutOfDeviceMemoryException if the device has no room
    public SharedBuffer allocate(long bytes, long alignment) {
        DeviceBuffer buffer = take(bytes);
        if (buffer == null) {
            buffer = backend.get().allocate(bytes, alignment);
        }
        synchronized (this) {
            usedBytes += bytes;
        }
        return new SharedBuffer(buffer, backend, this::keep);
    }

    /// A spare of that size; without one, all others make room.
    private @Nullable DeviceBuffer take(long bytes) {
        DeviceBuffer found = null;
        List<DeviceBuffer> surplus = List.of();
        synchronized (this) {
            for (DeviceBuffer spare : spares) {
                if (spare.byteSize() == bytes) {
                    found = spare;
                }
            }
            if (found == null) {
                surplus = removeAll();
            } else {
                spares.remove(found);
                spareBytes -= bytes;
            }
        }
        closing(surplus).finish();
        return found;
    }

    private synchronized boolean keep(DeviceBuffer buffer) {
        long bytes = buffer.byteSize();
        usedBytes -= bytes;
        boolean kept = !closed && bytes > 0 && usedBytes + spareBytes <= most - bytes;
        if (kept) {
            spares.add(buffer);
            spareBytes += bytes;
        }
        return kept;
    }

    private static Releases closing(List<DeviceBuffer> buffers) {
        Releases releases = new Releases();
        buffers.forEach(buffer -> releases.run(buffer::close));
        return releases;
    }

    private List<DeviceBuffer> removeAll() {
        List<DeviceBuffer> all = List.copyOf(spares);
        spares.clear();
        spareBytes = 0;
        return all;
    }

    /// Frees the spares, and keeps none from now on. Idempotent.
    @Override
    public void close() {
        List<DeviceBuffer> all;
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
            all = removeAll();
        }
        closing(all).run(backend::release).finish();
    }
}
