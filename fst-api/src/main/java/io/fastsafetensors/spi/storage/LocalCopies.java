package io.fastsafetensors.spi.storage;

import io.fastsafetensors.types.Location;
import java.nio.file.Path;
import java.util.Optional;

/// The ability of a [Storage] to keep whole files on this machine in a layout of its own, which other programs share, such as
/// the cache of the Hugging Face hub. Thread-safe.
public interface LocalCopies {
    /// A directory for what is not whole yet, best on the file system of the copies; need not exist.
    Path partsDirectory();

    /// Where this file's copy is; asked before each opening, and read in its place.
    ///
    /// @return a path of the default file system; empty if there is no copy
    Optional<Path> find(Location file);

    /// The identity of the version that [#find(Location)] gives, the same as that of the file that this storage would open.
    ///
    /// @param length its bytes
    FileIdentity identity(Location file, long length);

    /// Offers a whole copy of a file that this storage opened: called once, when everything was read. The storage links,
    /// copies or ignores it.
    ///
    /// @param copy stays the caller's
    /// @throws io.fastsafetensors.error.StorageException if the copy is not what the file should be, which fails the load
    void offer(Location file, Path copy);
}
