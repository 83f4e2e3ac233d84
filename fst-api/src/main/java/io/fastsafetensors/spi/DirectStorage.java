package io.fastsafetensors.spi;

import java.nio.file.Path;

/// File → device memory without a copy through the host. Thread-safe; costs nothing before the first call.
public interface DirectStorage {
    /// Whether this file can be read this way, and how. Never throws for a file that cannot.
    Support support(Path file);

    /// Opens a file for direct reads.
    ///
    /// @throws io.fastsafetensors.error.BackendException with the reason if it cannot
    DirectFile open(Path file);

    /// What direct storage can do with one file.
    ///
    /// @param mode how bytes would travel
    /// @param reason why, for people
    record Support(Mode mode, String reason) {
    }

    /// How bytes travel.
    enum Mode {
        /// From the drive to the device by DMA.
        DIRECT,
        /// The library works, but copies through the host behind the scenes.
        COMPATIBILITY,
        /// Not at all: staging copies instead.
        NONE
    }
}
