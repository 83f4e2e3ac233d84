package io.fastsafetensors.core.memory;

import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Releases;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The device memory of one load, or of all batches of one stream, under its budget. Nothing is allocated without a
/// [Grant], and grants, what was allocated of them and the spare buffers together never exceed the budget: so the budget
/// holds whatever is allocated, when, and by which thread. Bytes count until the device has them back. Thread-safe.
///
/// A stream keeps the buffers that its batches release for later batches of the same size, because freeing device memory
/// is expensive: a driver may clear it at once, and copies run at half their speed for so long.
///
/// Each byte is in one of these, and their sum stays within the budget:
///
/// * granted: promised to a load that has not allocated it yet,
/// * allocated: at the device, as a buffer that somebody uses,
/// * spare: at the device, as a buffer that nobody uses; counted in `allocated` too.
///
/// Memory is allocated and freed without the lock, since a device takes milliseconds for it. Bytes are counted before
/// the first and after the second, so the counts never say less than there is.
public final class LoadMemory implements AutoCloseable {
    private final SharedBackend backend;
    private final long budget;
    /// Whether buffers that were released are kept for later ones of the same size.
    private final boolean reuses;
    /// Buffers that are kept, the oldest first: those are freed first where they stand in the way.
    private final ArrayDeque<DeviceBuffer> spares = new ArrayDeque<>();
    /// Told without the lock, because it takes one of its own.
    private volatile @Nullable Runnable listener;
    /// Bytes at the device now, spares included.
    private long allocated;
    /// The bytes of [#spares].
    private long spareBytes;
    /// Bytes granted, neither allocated yet nor given back.
    private long granted;
    /// The most that [#allocated] ever was.
    private long peak;
    private boolean closed;

    private LoadMemory(SharedBackend backend, long budget, boolean reuses) {
        this.backend = backend;
        this.budget = budget;
        this.reuses = reuses;
        backend.retain();
    }

    /// The memory of one load.
    ///
    /// @param backend where it comes from; retained until [#close()]
    /// @param budget the most bytes at any time
    public static LoadMemory ofLoad(SharedBackend backend, long budget) {
        return new LoadMemory(backend, budget, false);
    }

    /// The memory of a stream, whose batches reuse what earlier ones released.
    ///
    /// @param backend where it comes from; retained until [#close()]
    /// @param budget the most bytes at any time
    public static LoadMemory ofStream(SharedBackend backend, long budget) {
        return new LoadMemory(backend, budget, true);
    }

    /// Whenever bytes become available this is called, without locks, by the thread that released them.
    ///
    /// One listener; a later call replaces it. It may be called for memory that somebody else takes before it looks.
    public void onRelease(Runnable told) {
        listener = told;
    }

    /// Without the lock: the listener takes one of its own, under which it may ask this.
    private void tellReleased() {
        Runnable told = listener;
        if (told != null) {
            told.run();
        }
    }

    /// The most bytes that were allocated at any time, those included that were just being allocated or freed.
    public synchronized long peakBytes() {
        return peak;
    }

    /// The most bytes that a grant can have now, spare buffers given up.
    public synchronized long availableBytes() {
        return budget - granted - (allocated - spareBytes);
    }

    /// Grants bytes, if the budget has room for them. Spare buffers that stand in the way are freed.
    ///
    /// Never waits: who finds no room waits to be told by [#onRelease(Runnable)]. Spares are freed only if the grant
    /// succeeds by it.
    ///
    /// @param buffers the sizes of buffers that tensors will lie in; spares of these sizes are taken
    /// @param others how many bytes will be allocated besides
    /// @return null if there is no room now
    public @Nullable Grant tryGrant(List<Long> buffers, long others) {
        List<DeviceBuffer> surplus = new ArrayList<>();
        Grant grant = null;
        synchronized (this) {
            long bytes = others;
            for (long size : buffers) {
                bytes = Math.addExact(bytes, size);
            }
            if (bytes <= availableBytes()) {
                List<DeviceBuffer> mine = takeSpares(buffers);
                long fresh = bytes - sum(mine);
                for (long excess = allocated + granted + fresh - budget; excess > 0;) {
                    DeviceBuffer spare = removeSpare();
                    surplus.add(spare);
                    excess -= spare.byteSize();
                }
                granted += fresh;
                grant = new Grant(mine, fresh);
            }
        }
        // What was granted is allocated after this returned, by when the spares are gone.
        free(surplus);
        return grant;
    }

    /// A buffer serves for its own size alone: a larger one would count more than was granted.
    private List<DeviceBuffer> takeSpares(List<Long> sizes) {
        List<DeviceBuffer> taken = new ArrayList<>();
        for (long size : sizes) {
            for (Iterator<DeviceBuffer> each = spares.iterator(); each.hasNext();) {
                DeviceBuffer spare = each.next();
                if (spare.byteSize() == size) {
                    each.remove();
                    taken.add(spare);
                    spareBytes -= size;
                    break;
                }
            }
        }
        return taken;
    }

    /// A spare that is about to be freed, and counts until it was.
    private DeviceBuffer removeSpare() {
        DeviceBuffer spare = spares.removeFirst();
        spareBytes -= spare.byteSize();
        return spare;
    }

    private static long sum(List<DeviceBuffer> buffers) {
        long bytes = 0;
        for (DeviceBuffer buffer : buffers) {
            bytes += buffer.byteSize();
        }
        return bytes;
    }

    /// Each counts until the device has it back; one that cannot be freed stays counted and does not keep others.
    private void free(List<DeviceBuffer> buffers) {
        Releases releases = new Releases();
        for (DeviceBuffer buffer : buffers) {
            long bytes = buffer.byteSize();
            releases.run(() -> {
                buffer.close();
                released(bytes);
            });
        }
        releases.finish();
    }

    /// The device has bytes back.
    private void released(long bytes) {
        synchronized (this) {
            allocated -= bytes;
        }
        tellReleased();
    }

    /// Keeps a buffer for a later batch.
    ///
    /// Called by the last release of a buffer, on whatever thread. A buffer that is kept still counts as allocated,
    /// and makes room for a grant at once.
    ///
    /// @return whether it is kept
    private boolean keep(DeviceBuffer buffer) {
        synchronized (this) {
            if (!reuses || closed || buffer.byteSize() == 0) {
                return false;
            }
            spares.add(buffer);
            spareBytes += buffer.byteSize();
        }
        tellReleased();
        return true;
    }

    /// Frees the spares, and keeps none from now on. What was granted stays. Idempotent.
    ///
    /// The backend stays open for buffers that are still in use: each has a reference of its own.
    @Override
    public void close() {
        List<DeviceBuffer> all = new ArrayList<>();
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
            while (!spares.isEmpty()) {
                all.add(removeSpare());
            }
        }
        new Releases().run(() -> free(all)).run(backend::release).finish();
    }

    /// Bytes that may be allocated. What is left at [#close()] goes back; what was allocated counts until it is freed.
    ///
    /// A load allocates from one grant on several threads: its buffers on the thread that starts it, scratch memory
    /// on its readers'.
    public final class Grant implements AutoCloseable {
        /// Spares that were taken for buffers of this grant.
        private final List<DeviceBuffer> mine;
        /// Bytes that may still be allocated besides. Guarded by the memory, like what follows.
        private long left;
        private boolean ended;

        private Grant(List<DeviceBuffer> mine, long left) {
            this.mine = mine;
            this.left = left;
        }

        /// A buffer with one reference. When the last one is released a stream may use it again.
        ///
        /// @param alignment every call that may reuse a buffer has the same one
        /// @throws io.fastsafetensors.error.OutOfDeviceMemoryException if the device has no room
        public SharedBuffer allocate(long bytes, long alignment) {
            return share(bytes, alignment, reuses);
        }

        /// As [#allocate(long, long)], for what outlives its batch: it is freed at once when the last reference is
        /// released.
        public SharedBuffer allocateOwned(long bytes, long alignment) {
            return share(bytes, alignment, false);
        }

        /// Of a spare only the size has to fit: all buffers of a stream have one alignment.
        private SharedBuffer share(long bytes, long alignment, boolean reusable) {
            DeviceBuffer spare = takeMine(bytes);
            DeviceBuffer buffer = spare == null ? fresh(bytes, alignment) : spare;
            return new SharedBuffer(buffer, backend, new SharedBuffer.Owner() {
                @Override
                public boolean keeps(DeviceBuffer released) {
                    return reusable && keep(released);
                }

                @Override
                public void freed() {
                    released(bytes);
                }
            });
        }

        /// A buffer for the length of a reader's work, which the reader closes.
        ///
        /// @throws io.fastsafetensors.error.OutOfDeviceMemoryException if the device has no room
        public Scratch allocateScratch(long bytes, long alignment) {
            return new Scratch(this, fresh(bytes, alignment), bytes);
        }

        /// Bytes that were allocated are promised again.
        ///
        /// A reader that ends and begins again in a later turn allocates the same bytes again, so they stay granted
        /// until the load ends.
        private void returned(long bytes) {
            synchronized (LoadMemory.this) {
                if (!ended) {
                    allocated -= bytes;
                    granted += bytes;
                    left += bytes;
                    return;
                }
            }
            released(bytes);
        }

        /// @return null if none of this size was taken for the grant, or all were handed out
        private @Nullable DeviceBuffer takeMine(long bytes) {
            synchronized (LoadMemory.this) {
                for (Iterator<DeviceBuffer> each = mine.iterator(); each.hasNext();) {
                    DeviceBuffer buffer = each.next();
                    if (buffer.byteSize() == bytes) {
                        each.remove();
                        return buffer;
                    }
                }
            }
            return null;
        }

        /// Counts the bytes before the device is asked for them, so that two threads never allocate the same room.
        ///
        /// More than is granted is an error of the planning, and none of the user.
        private DeviceBuffer fresh(long bytes, long alignment) {
            synchronized (LoadMemory.this) {
                if (bytes > left) {
                    throw new AssertionError(bytes + " bytes of device memory where " + left + " are granted");
                }
                left -= bytes;
                granted -= bytes;
                allocated += bytes;
                peak = Math.max(peak, allocated);
            }
            boolean done = false;
            try {
                DeviceBuffer buffer = backend.get().allocate(bytes, alignment);
                done = true;
                return buffer;
            } finally {
                if (!done) {
                    released(bytes);
                }
            }
        }

        /// Gives back what was not allocated. Idempotent.
        @Override
        public void close() {
            List<DeviceBuffer> surplus = new ArrayList<>();
            synchronized (LoadMemory.this) {
                if (ended) {
                    return;
                }
                ended = true;
                granted -= left;
                left = 0;
                for (DeviceBuffer buffer : mine) {
                    if (closed) {
                        surplus.add(buffer);
                    } else {
                        spares.add(buffer);
                        spareBytes += buffer.byteSize();
                    }
                }
                mine.clear();
            }
            new Releases().run(() -> free(surplus)).run(LoadMemory.this::tellReleased).finish();
        }
    }

    /// A buffer of a reader, for the length of its work.
    public static final class Scratch implements AutoCloseable {
        private final Grant grant;
        private final DeviceBuffer buffer;
        private final long bytes;
        private boolean closed;

        private Scratch(Grant grant, DeviceBuffer buffer, long bytes) {
            this.grant = grant;
            this.buffer = buffer;
            this.bytes = bytes;
        }

        /// The memory.
        public DeviceBuffer buffer() {
            return buffer;
        }

        /// Frees it, so that the grant has its bytes again. Idempotent; for one thread.
        @Override
        public void close() {
            if (!closed) {
                buffer.close();
                closed = true;
                grant.returned(bytes);
            }
        }
    }
}
