package io.fastsafetensors.backend.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// Host memory as the driver may see it. The driver asks no arena, so this does before an address is given away.
final class HostBytes {
    private static final long PIECE = 1 << 20;

    private HostBytes() {
    }

    /// Takes a piece of a transfer.
    interface Step {
        /// Called for one piece after the other.
        ///
        /// @param offset where in the whole the piece begins
        /// @param piece native memory that is valid during the call
        void take(long offset, MemorySegment piece);
    }

    /// Lets memory pass that this thread may read now.
    ///
    /// @throws IllegalStateException if the memory was released
    /// @throws WrongThreadException if it belongs to another thread
    static void requireReadable(MemorySegment memory) {
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
    static void requireWritable(MemorySegment memory) {
        requireReadable(memory);
        if (memory.isReadOnly()) {
            throw new IllegalArgumentException("the host memory is read-only");
        }
    }

    /// Moves memory that has no fixed address, such as an array's, through native memory.
    ///
    /// @param bytes how many, more than 0
    /// @param step called for one piece after the other
    static void inPieces(long bytes, Step step) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment bounce = arena.allocate(Math.min(bytes, PIECE));
            for (long done = 0; done < bytes; done += PIECE) {
                step.take(done, bounce.asSlice(0, Math.min(bytes - done, PIECE)));
            }
        }
    }
}
