package io.fastsafetensors.spi;

import io.fastsafetensors.spi.storage.StorageFile;

/// File → device memory without a copy through the host. Thread-safe; costs nothing before the first call.
public interface DirectStorage {
    /// Whether this file can be read this way, and how. Never throws for a file that cannot. Asked once for each file that
    /// is open.
    ///
    /// @param file an open file; what it has of [io.fastsafetensors.spi.storage.DescriptorAccess] tells which file it is
    Support support(StorageFile file);

    /// Opens a file for direct reads: the very file that is open, whatever its location names now.
    ///
    /// @param file stays open, and the caller's, until the direct file was closed
    /// @throws io.fastsafetensors.error.BackendException with the reason if it cannot
    DirectFile open(StorageFile file);

    /// The support that direct storage offers for one file.
    ///
    /// @param mode how bytes would travel
    /// @param reason why, for people
    record Support(Mode mode, String reason) {
    }

    /// The path that bytes take.
    enum Mode {
        /// From the drive to the device by DMA.
        DIRECT,
        /// The library works, but copies through the host behind the scenes.
        COMPATIBILITY,
        /// Not at all: staging copies instead.
        NONE
    }
}
