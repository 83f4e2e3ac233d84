package io.fastsafetensors.core.transfer;

import java.lang.foreign.MemorySegment;

/// Sees the bytes of a load as they were read by the host, before they leave for their places. In a load by one reader the
/// blocks of each file come in its order; otherwise in any order, and several at a time.
///
/// There is one where a digest is taken of bytes that exist nowhere afterwards; the load then has one reader. Paths
/// on which bytes are read to where they stay, or past the host, do not call it.
public interface BlockListener {
    /// Looks at nothing.
    BlockListener NONE = (block, memory, base) -> {
    };

    /// A block was read. Called by the reader that read it; what it throws fails the load.
    ///
    /// @param block its index in the plan
    /// @param memory the host memory that it is in; not to be kept
    /// @param base the file offset of the memory's first byte
    void read(int block, MemorySegment memory, long base);
}
