package io.fastsafetensors.backend.rocm.opencl;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// Hands host memory of any origin to blocking copies as native memory: as it is, or, from the Java heap, in pieces
/// through memory of its own.
final class HostCopies {
    private static final long PIECE = 4 << 20;

    /// A blocking copy of native memory.
    interface Copy {
        /// Copies native memory, which starts at `from` in the whole.
        void run(MemorySegment part, long from);
    }

    private HostCopies() {
    }

    static void toDevice(MemorySegment source, Copy copy) {
        if (source.isNative()) {
            requireAccess(source);
            copy.run(source, 0);
            return;
        }
        throughPieces(source, (part, from) -> {
            MemorySegment.copy(source, from, part, 0, part.byteSize());
            copy.run(part, from);
        });
    }

    static void toHost(MemorySegment target, Copy copy) {
        if (target.isNative()) {
            requireAccess(target);
            copy.run(target, 0);
            return;
        }
        throughPieces(target, (part, from) -> {
            copy.run(part, from);
            MemorySegment.copy(part, 0, target, from, part.byteSize());
        });
    }

    private static void throughPieces(MemorySegment whole, Copy copy) {
        long bytes = whole.byteSize();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment piece = arena.allocate(Math.min(bytes, PIECE));
            for (long from = 0; from < bytes; from += PIECE) {
                copy.run(piece.asSlice(0, Math.min(bytes - from, PIECE)), from);
            }
        }
    }

    /// The driver gets an address and checks nothing.
    private static void requireAccess(MemorySegment memory) {
        if (!memory.scope().isAlive()) {
            throw new IllegalStateException("the host memory of the copy is closed");
        }
        if (!memory.isAccessibleBy(Thread.currentThread())) {
            throw new WrongThreadException("the host memory of the copy belongs to another thread");
        }
    }
}
