package io.fastsafetensors.spi.storage;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// The ability of a [StorageFile] to be mapped into memory. Thread-safe.
public interface Mapping {
    /// Maps a range for reading, shared with the page cache; pages are brought in when they are touched.
    ///
    /// @param offset a multiple of the system's page size
    /// @param arena the mapping's lifetime, longer than the file's if the caller wishes
    /// @throws io.fastsafetensors.error.StorageException if it cannot be mapped
    MemorySegment map(long offset, long bytes, Arena arena);
}
