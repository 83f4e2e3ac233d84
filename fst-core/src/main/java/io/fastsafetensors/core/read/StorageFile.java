package io.fastsafetensors.core.read;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/// One file open for reading at offsets, by many threads. The one door to storage.
///
/// Reads return how many bytes arrived, at least one unless the end of the file is reached (0); interruptions are
/// retried inside. Failures are [io.fastsafetensors.error.StorageException]s with file, offset and errno.
interface StorageFile extends AutoCloseable {
    /// Returned by [#readDirect] when the storage refuses direct reads after all.
    long REFUSED = -1;

    Path path();

    /// The length now.
    long length();

    /// The file system's name.
    String fileSystem();

    /// Whether [#readDirect] is worth a try; turns false when the storage refuses one.
    boolean isDirect();

    /// Why reads are direct, or not.
    String reason();

    /// How many whole or partial pages of the range the page cache holds, −1 if unknown.
    long cachedPages(long offset, long length);

    /// Copies what the page cache holds of the range's beginning; 0 if it holds none or the system cannot tell.
    long readCached(long offset, MemorySegment target, long targetOffset, long bytes);

    /// Reads through the page cache.
    long readBuffered(long offset, MemorySegment target, long targetOffset, long bytes);

    /// Reads past the page cache; offset, length and address are multiples of the page size.
    long readDirect(long offset, MemorySegment target, long targetOffset, long bytes);

    @Override
    void close();
}
