package io.fastsafetensors.core.storage;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.ConcurrentLinkedQueue;

/// Host memory that the reads of one file pass through, one window for each read at a time, kept for the next one.
/// There are as many as reads were ever under way at a time, and they are freed together: memory of a shared arena
/// cannot be given back one by one. Thread-safe.
public final class ReadWindows implements AutoCloseable {
    /// Bytes; a line of the processor's cache.
    private static final long ALIGNMENT = 64;

    private final long bytes;
    private final Arena arena = Arena.ofShared();
    private final ConcurrentLinkedQueue<MemorySegment> idle = new ConcurrentLinkedQueue<>();

    /// @param bytes the size of each
    public ReadWindows(long bytes) {
        this.bytes = bytes;
    }

    /// A window, contents undefined; the caller gives it back.
    ///
    /// Allocates one if all are in use, so there are at most as many as threads that read at a time.
    public MemorySegment take() {
        MemorySegment window = idle.poll();
        return window != null ? window : arena.allocate(bytes, ALIGNMENT);
    }

    /// Takes a window back.
    public void give(MemorySegment window) {
        idle.add(window);
    }

    /// Frees them, after every read has returned. Idempotent.
    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }
}
