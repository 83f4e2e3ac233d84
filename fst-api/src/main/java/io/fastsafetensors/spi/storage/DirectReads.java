package io.fastsafetensors.spi.storage;

import java.lang.foreign.MemorySegment;

/// The ability of a [StorageFile] to be read past the operating system's page cache. Thread-safe.
public interface DirectReads {
    /// Returned by [#readDirect] when the storage refuses direct reads after all.
    long REFUSED = -1;

    /// Whether [#readDirect] is worth a try; false once the storage has refused one.
    boolean isDirect();

    /// Reads past the page cache. Offset, address and size are multiples of 4096.
    ///
    /// @return how many bytes were read, 0 at the end of the file, [#REFUSED] if the storage refuses
    long readDirect(long offset, MemorySegment target, long targetOffset, long bytes);
}
