package io.fastsafetensors.spi;

import io.fastsafetensors.spi.storage.StorageFile;
import java.util.Objects;

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

    /// What direct storage can do with one file. Immutable; made by [#of(Mode, String)].
    final class Support {
        private final Mode mode;
        private final String reason;

        private Support(Mode mode, String reason) {
            this.mode = Objects.requireNonNull(mode, "mode");
            this.reason = Objects.requireNonNull(reason, "reason");
        }

        /// What a storage says of a file.
        ///
        /// @param mode how bytes would travel
        /// @param reason why, for people
        public static Support of(Mode mode, String reason) {
            return new Support(mode, reason);
        }

        /// How bytes would travel.
        public Mode mode() {
            return mode;
        }

        /// Why, for people.
        public String reason() {
            return reason;
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof Support that && mode == that.mode && reason.equals(that.reason);
        }

        @Override
        public int hashCode() {
            return Objects.hash(mode, reason);
        }

        @Override
        public String toString() {
            return mode + ": " + reason;
        }
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
