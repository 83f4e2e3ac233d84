package io.fastsafetensors.core.memory;

import io.fastsafetensors.spi.Releases;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.LongFunction;
import org.jspecify.annotations.Nullable;

/// A set of views that end together, in which tensors live. Thread-safe.
///
/// Weights, a batch of a stream, or a single detached tensor is a scope. Closing it makes every tensor and segment of
/// it invalid, whatever else still has the memory. Small results share buffers, which count one user for each of them
/// and go when the last one is closed.
public final class TensorScope implements AutoCloseable {
    /// The largest result that shares a buffer.
    public static final long SMALL = 16 << 10;
    /// The size of the first buffer that small results share; each later one is twice as large.
    private static final long SMALLEST_SHARED = 64 << 10;
    private static final long LARGEST_SHARED = 1 << 20;

    private final String what;
    /// Follows "is closed" in every message, empty where there is none.
    private final String advice;
    /// Guards itself. A lock of its own, since allocating takes long and a close must not wait for it.
    private final Pieces pieces = new Pieces();
    /// Every view that has not ended. A view is added before it is looked whether the scope is closed, so that a close
    /// meanwhile either ends it or is seen.
    private final Set<BufferView> views = ConcurrentHashMap.newKeySet();
    private volatile boolean closed;

    /// A part of a buffer.
    ///
    /// @param view of the buffer, of which it is a user
    /// @param offset the first byte in it
    public record Piece(BufferView view, long offset) {
    }

    /// The buffer that small results share at the moment, full ones being left to those who are in them.
    private static final class Pieces {
        private @Nullable BufferView shared;
        private long size;
        private long used;
    }

    /// @param what how messages call it, such as `weights of /models/x`
    public TensorScope(String what) {
        this(what, "");
    }

    /// @param what how messages call it, such as `weights of /models/x`
    /// @param advice what to do instead of using what is closed, in words that follow "is closed"
    public TensorScope(String what, String advice) {
        this.what = what;
        this.advice = advice;
    }

    /// A view of `buffer` that ends with this scope at the latest. Takes over one reference to the buffer.
    ///
    /// A close at the same moment either sees the view or is seen here: the view is added first, and the flag is set
    /// before the views are collected.
    ///
    /// @throws IllegalStateException if the scope is closed; the reference is released then
    public BufferView view(SharedBuffer buffer) {
        BufferView view = new BufferView(buffer);
        views.add(view);
        if (closed) {
            view.close();
            requireOpen();
        }
        return view;
    }

    /// Memory for a small result, in a buffer that it shares with others of this scope: a page, an arena and a call of the
    /// device for each would cost a hundred times as much. It counts as a user of the view.
    ///
    /// Allocates under a lock of its own; a close of the scope does not wait for it.
    ///
    /// @param bytes at most [#SMALL]
    /// @param alignment of the memory
    /// @param allocate allocates a buffer of so many bytes; its reference is taken over
    /// @throws IllegalStateException if the scope is closed
    public Piece piece(long bytes, long alignment, LongFunction<SharedBuffer> allocate) {
        BufferView full = null;
        Piece piece;
        synchronized (pieces) {
            long offset = (pieces.used + alignment - 1) & -alignment;
            BufferView shared = pieces.shared;
            if (shared == null || offset + bytes > pieces.size) {
                long size = shared == null ? SMALLEST_SHARED : Math.min(LARGEST_SHARED, pieces.size * 2);
                full = shared;
                shared = view(allocate.apply(size));
                pieces.shared = shared;
                pieces.size = size;
                offset = 0;
            }
            pieces.used = offset + bytes;
            piece = new Piece(shared.retain(), offset);
        }
        if (full != null) {
            release(full);
        }
        return piece;
    }

    /// A user of a view is gone; the last one ends it.
    public void release(BufferView view) {
        if (view.isLast()) {
            views.remove(view);
            view.close();
        }
    }

    /// Refuses to go on after [#close()].
    ///
    /// @throws IllegalStateException if the scope is closed
    public void requireOpen() {
        if (closed) {
            throw closed(what);
        }
    }

    /// The failure of who uses something of this scope that is closed.
    ///
    /// @param it what is closed
    public IllegalStateException closed(String it) {
        return new IllegalStateException(it + " is closed" + advice);
    }

    /// Whether [#close()] was called.
    public boolean isClosed() {
        return closed;
    }

    /// From now on [#requireOpen()] fails; what is leased stays until [#close()].
    ///
    /// Used where readers still write into the memory: users are refused at once, while the memory stays until they
    /// have stopped.
    public void markClosed() {
        closed = true;
    }

    /// Ends every view. Idempotent: what fails to be freed keeps nothing else, and is told once.
    @Override
    public void close() {
        markClosed();
        List<BufferView> all = new ArrayList<>(views);
        views.removeAll(all);
        Releases releases = new Releases();
        all.forEach(view -> releases.run(view::close));
        releases.finish();
    }

    /// How messages call it.
    @Override
    public String toString() {
        return what;
    }
}
