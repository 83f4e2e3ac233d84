package io.fastsafetensors.core.memory;

import io.fastsafetensors.spi.ffm.NativeAccess;
import io.fastsafetensors.spi.ffm.RawMemory;
import io.fastsafetensors.types.DeviceHandle;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/// One scope's reference to a buffer. Segments are given out through it and end with it, even if others keep the buffer.
///
/// Counted: several tensors may share the view of a derived buffer. Thread-safe.
///
/// Two counts, which must not be confused: the buffer's references are of scopes and operations, and free the memory;
/// the users of a view are tensors that share it, and end the view earlier than its scope.
///
/// Segments are made of the buffer's address in an arena of the view's own rather than sliced from the buffer's
/// segment, because a slice would live as long as the buffer: a tensor of closed weights could be read as long as
/// some other tensor keeps the buffer.
public final class BufferView {
    private final SharedBuffer buffer;
    /// That of all segments given out, made with the first one.
    private @Nullable Arena arena;
    /// That of the buffer's first byte, asked for once: it stays the same while the buffer is open, which it is at least as
    /// long as this view.
    private @Nullable DeviceHandle handle;
    /// Tensors that the view ends with; see [TensorScope#release].
    private int users = 1;
    /// Guarded by this object, as everything that changes is.
    private boolean closed;

    /// Takes over one reference to `buffer`; one user.
    public BufferView(SharedBuffer buffer) {
        this.buffer = buffer;
    }

    /// The buffer; use it only while the view is open, or retained.
    public SharedBuffer buffer() {
        return buffer;
    }

    /// A segment of the buffer that lives as long as this view, or where native access is denied as long as the buffer;
    /// null if the host cannot address it.
    ///
    /// Created by each call; callers keep what they want to use often.
    ///
    /// @throws IllegalStateException if the view is closed
    @SuppressWarnings("MustBeClosed")
    public @Nullable MemorySegment segment(long offset, long byteSize) {
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
            MemorySegment part = RawMemory.view(whole.address() + offset, byteSize, arena);
            return whole.isReadOnly() ? part.asReadOnly() : part;
        }
    }

    /// The pointer or object of byte `offset`. Valid as long as this view is open; nothing is retained for it.
    ///
    /// @throws IllegalStateException if the view is closed
    public synchronized DeviceHandle handle(long offset) {
        requireOpen();
        DeviceHandle first = handle;
        if (first == null) {
            first = buffer.handle(0);
            handle = first;
        }
        return first.plus(offset);
    }

    /// One user more.
    ///
    /// @throws IllegalStateException if the view is closed
    public synchronized BufferView retain() {
        requireOpen();
        users++;
        return this;
    }

    /// A reference to the buffer that outlasts this view; the caller releases it.
    ///
    /// @throws IllegalStateException if the view is closed
    public synchronized SharedBuffer hold() {
        requireOpen();
        return buffer.retain();
    }

    /// One user less.
    ///
    /// A view that is closed already says so too, so that a tensor which is closed after its scope releases nothing
    /// twice.
    ///
    /// @return whether it was the last, who closes the view
    synchronized boolean isLast() {
        return closed || --users <= 0;
    }

    /// Ends the segments given out and releases the buffer, even if users of the view are left. Idempotent.
    ///
    /// Returns at once even if a native call has one of the segments: the arena is then closed, and the buffer
    /// released, when the call has returned.
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
