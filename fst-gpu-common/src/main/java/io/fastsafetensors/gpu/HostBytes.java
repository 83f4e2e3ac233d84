package io.fastsafetensors.gpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;

/// Passes host memory of any origin to a driver: checks what a driver does not, and moves Java arrays, which have no
/// fixed address, through native memory.
public final class HostBytes {
    private static final long PIECE = 1 << 20;

    private HostBytes() {
    }

    /// Submits a copy from or to native memory.
    public interface Copy {
        /// Called for one piece after the other.
        ///
        /// @param piece native memory
        /// @param offset of the piece in the whole
        void submit(MemorySegment piece, long offset);
    }

    /// Lets memory pass that this thread may read now.
    ///
    /// @throws IllegalStateException if the memory was released
    /// @throws WrongThreadException if it belongs to another thread
    public static void requireReadable(MemorySegment memory) {
        if (!memory.scope().isAlive()) {
            throw new IllegalStateException("the host memory is closed");
        }
        if (!memory.isAccessibleBy(Thread.currentThread())) {
            throw new WrongThreadException("the host memory belongs to another thread");
        }
    }

    /// As [#requireReadable].
    ///
    /// @throws IllegalArgumentException if the memory is read-only
    public static void requireWritable(MemorySegment memory) {
        requireReadable(memory);
        if (memory.isReadOnly()) {
            throw new IllegalArgumentException("the host memory is read-only");
        }
    }

    /// Copies from readable host memory. Native memory is submitted as it is, and must not change before the copy ends;
    /// of an array, nothing is needed any more when the call returns.
    ///
    /// @param copy submits a copy to the device
    /// @param finish waits for what was submitted
    public static void toDevice(MemorySegment source, Copy copy, Runnable finish) {
        if (source.isNative()) {
            whole(source, copy);
            return;
        }
        inPieces(source.byteSize(), (piece, offset) -> {
            piece.copyFrom(source.asSlice(offset, piece.byteSize()));
            copy.submit(piece, offset);
            finish.run();
        });
    }

    /// Copies to writable host memory. Native memory is submitted as it is; an array has the bytes when the call
    /// returns.
    ///
    /// @param copy submits a copy from the device
    /// @param finish waits for what was submitted
    public static void toHost(MemorySegment target, Copy copy, Runnable finish) {
        if (target.isNative()) {
            whole(target, copy);
            return;
        }
        inPieces(target.byteSize(), (piece, offset) -> {
            copy.submit(piece, offset);
            finish.run();
            target.asSlice(offset, piece.byteSize()).copyFrom(piece);
        });
    }

    private static void whole(MemorySegment memory, Copy copy) {
        try {
            if (memory.byteSize() > 0) {
                copy.submit(memory, 0);
            }
        } finally {
            Reference.reachabilityFence(memory);
        }
    }

    private static void inPieces(long bytes, Copy copy) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment bounce = arena.allocate(Math.clamp(bytes, 1, PIECE));
            for (long done = 0; done < bytes; done += PIECE) {
                copy.submit(bounce.asSlice(0, Math.min(bytes - done, PIECE)), done);
            }
        }
    }
}
