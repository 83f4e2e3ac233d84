package io.fastsafetensors.spi.storage;

import java.lang.foreign.MemorySegment;

/// The ability of a [StorageFile] to tell what of it lies in the operating system's page cache. Thread-safe.
public interface CacheResidency {
    /// How many bytes of a range the page cache holds, counted in whole pages cut to the range; −1 if the system cannot
    /// tell.
    long cachedBytes(long offset, long bytes);

    /// Copies what the page cache holds of the beginning of a range, without waiting for storage.
    ///
    /// @return how many bytes were copied; 0 if the first is not there or the system cannot tell
    long readCached(long offset, MemorySegment target, long targetOffset, long bytes);

    /// Writes back and then evicts what the page cache holds of the file. Pages in use may stay.
    ///
    /// @return whether the system can do this
    default boolean evict() {
        return false;
    }
}
