package io.fastsafetensors.core.memory;

import io.fastsafetensors.spi.ffm.NativeAccess;
import io.fastsafetensors.spi.ffm.RawMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/// One scope's hold on a buffer. Segments are given out through it and die with it, also where others keep the buffer.
///
/// Counted: several tensors may share the lease of a derived buffer. Thread-safe.
public final class Lease {
    private final SharedBuffer buffer;
    private @Nullable Arena arena;
    private int users = 1;
    private boolean closed;

    /// Takes over one hold on `buffer`; one user.
    public Lease(SharedBuffer buffer) {
        this.buffer = buffer;
    }

    /// The buffer; use it only while the lease is open, or retained.
    public SharedBuffer buffer() {
        return buffer;
    }

    /// A segment of the buffer that lives as long as this lease, or where native access is denied as long as the buffer;
    /// null if the host cannot address it.
    ///
    /// @throws IllegalStateException if the lease is closed
    @SuppressWarnings("MustBeClosed")
    public @Nullable MemorySegment view(long offset, long byteSize) {
        synchronized (this) {
            requireOpen();
            MemorySegment whole = buffer.buffer().segment().orElse(null);
            if (whole == null) {
                return null;
            }
            if (!NativeAccess.isAllowed()) {
                return whole.asSlice(offset, byteSize);
            }
            if (arena == null) {
                arena = Arena.ofShared();
            }
            MemorySegment view = RawMemory.view(whole.address() + offset, byteSize, arena);
            return whole.isReadOnly() ? view.asReadOnly() : view;
        }
    }

    /// One user more.
    ///
    /// @throws IllegalStateException if the lease is closed
    public synchronized Lease retain() {
        requireOpen();
        users++;
        return this;
    }

    /// A hold on the buffer of one's own, beyond this lease; the caller releases it.
    ///
    /// @throws IllegalStateException if the lease is closed
    public synchronized SharedBuffer hold() {
        requireOpen();
        return buffer.retain();
    }

    /// One user less.
    ///
    /// @return whether it was the last, who closes the lease
    synchronized boolean isLast() {
        return closed || --users <= 0;
    }

    /// Ends the segments given out and releases the buffer, even if users of the lease are left. Idempotent.
    public void close() {
        Arena toClose;
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
            toClose = arena;
        }
        if (toClose == null) {
            buffer.release();
        } else {
            DeferredClose.close(toClose::close, buffer::release);
        }
    }

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException("the memory is closed");
        }
    }
}
