package io.fastsafetensors.backend.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// Allocates the memory of buffers. Thread-safe.
interface HostMemory extends AutoCloseable {
    /// Takes memory; contents undefined.
    ///
    /// @param bytes the size, any long from 0
    /// @param alignment a power of two
    /// @return memory at an address that is never 0
    /// @throws io.fastsafetensors.error.OutOfDeviceMemoryException if the host refuses
    Block take(long bytes, long alignment);

    /// How memory is taken, and why this way; one sentence for people.
    String description();

    /// Gives back what it keeps for later; what is taken stays its owner's.
    @Override
    default void close() {
        // Most keep nothing.
    }

    /// One piece of memory.
    ///
    /// @param segment exactly the bytes asked for, alive as long as `arena`
    /// @param arena a shared arena that the owner closes
    /// @param release what gives the memory back once the arena is closed
    record Block(MemorySegment segment, Arena arena, Runnable release) {
    }
}
