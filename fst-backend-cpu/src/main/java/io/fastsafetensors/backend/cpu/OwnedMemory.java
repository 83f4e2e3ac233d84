package io.fastsafetensors.backend.cpu;

import java.lang.foreign.MemorySegment;
import java.util.Set;

/// Memory with one owner, who closes it; shared by buffers and staging slots. Thread-safe.
final class OwnedMemory {
    private final HostMemory.Block block;
    private final String what;
    private final Set<OwnedMemory> open;
    private volatile boolean closed;

    /// @param what the owner as messages call it
    /// @param open the backend's set of open memory, which this joins and leaves
    OwnedMemory(HostMemory.Block block, String what, Set<OwnedMemory> open) {
        this.block = block;
        this.what = what;
        this.open = open;
        open.add(this);
    }

    MemorySegment segment() {
        if (closed) {
            throw new IllegalStateException(what + " is closed");
        }
        return block.segment();
    }

    /// Gives the memory back. While a native call holds the segment nothing is given back, and a later close may try
    /// again.
    ///
    /// @throws IllegalStateException if a native call in flight uses the memory
    /// @throws io.fastsafetensors.error.BackendException if the system refuses; the memory is gone nevertheless
    synchronized void close() {
        if (closed) {
            return;
        }
        try {
            block.arena().close();
        } catch (IllegalStateException e) {
            if (block.arena().scope().isAlive()) {
                throw new IllegalStateException(
                        what + " is in use by a native call and stays open; close it again when that has returned", e);
            }
        }
        closed = true;
        open.remove(this);
        block.release().run();
    }
}
