package io.fastsafetensors.spi.storage;

import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.types.Location;
import java.util.List;
import java.util.Optional;

/// A place that holds files: says what a location names, lists, and opens. Thread-safe.
///
/// Failures are [io.fastsafetensors.error.StorageException]s that name the location and the way out; a location that is
/// not there is one of them too, except for [#kind(Location)].
public interface Storage extends AutoCloseable {
    /// The kind of object that a location names.
    enum Kind {
        /// A file that [Storage#open(Location)] opens.
        FILE,
        /// Something that [Storage#list(Location)] lists.
        DIRECTORY,
        /// Something else, such as a pipe or a device.
        OTHER,
        /// Nothing.
        ABSENT
    }

    /// The location by which the same bytes are found for as long as this storage is open: a revision that moves becomes
    /// the commit that it names now. Most storages have nothing to pin.
    default Location pin(Location location) {
        return location;
    }

    /// What a location names now. Links are followed.
    Kind kind(Location location);

    /// What a directory holds, in any order, links followed; what a dangling link names is listed as a file.
    ///
    /// @throws UnsupportedFeatureException if this storage cannot list, with the way out
    default List<StorageEntry> list(Location directory) {
        throw new UnsupportedFeatureException("storage of scheme " + directory.scheme()
                + " cannot list; name the file or the index", directory.where());
    }

    /// Opens a file for reading.
    ///
    /// @return a file that the caller closes
    StorageFile open(Location file);

    /// The whole files that this storage keeps on this machine; empty unless it does so.
    default Optional<LocalCopies> localCopies() {
        return Optional.empty();
    }

    /// Releases what the storage holds. Idempotent. Called after every file was closed.
    @Override
    void close();
}
