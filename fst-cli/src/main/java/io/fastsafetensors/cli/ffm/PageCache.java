package io.fastsafetensors.cli.ffm;

import java.io.IOException;
import java.nio.file.Path;

/// The operating system's cache of file contents. Thread-safe.
@FunctionalInterface
public interface PageCache {
    /// Writes back and then evicts what is cached of a file. Pages that somebody else keeps in use may stay.
    ///
    /// @param file a regular file, symbolic links are followed
    /// @throws IOException if it cannot be opened, or the system cannot do this
    void drop(Path file) throws IOException;

    /// This system's page cache.
    static PageCache system() {
        return new PageCacheFfm();
    }
}
