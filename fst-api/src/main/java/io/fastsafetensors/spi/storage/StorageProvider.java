package io.fastsafetensors.spi.storage;

import java.util.Set;

/// The entry of a storage, found by [java.util.ServiceLoader]: serves the locations of one scheme or more.
///
/// A byte source (an object store, a database, a distributed file system) implements this interface, [Storage] and
/// [StorageFile], three abstract methods for reading a file among them; everything else has a default. Constructing a
/// provider loads no native code and connects to nothing. Implementations are stateless or thread-safe.
///
/// Methods may be added to the interfaces of this package as default methods, never as abstract ones; what a file can do
/// besides reading is an ability of its own type ([StorageFile#ability(Class)]), so that later ones need no change here.
public interface StorageProvider {
    /// The schemes it serves, in lower case, such as `s3`. `file` belongs to fst-core.
    Set<String> schemes();

    /// As [io.fastsafetensors.spi.BackendProvider#spiVersion()]: overridden with the constant
    /// [io.fastsafetensors.spi.SpiVersion#CURRENT].
    default int spiVersion() {
        return 1;
    }

    /// Opens the storage for one loader, or one call that reads headers. Connects to nothing before it must.
    ///
    /// @param options settings for this storage; unknown ones are ignored
    /// @return a storage that the caller closes
    /// @throws io.fastsafetensors.error.StorageException if it cannot work here, with the reason and the way out
    Storage open(StorageOptions options);
}
