package io.fastsafetensors.core.transfer;

import io.fastsafetensors.core.linux.ffm.LibC;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.HostRegistration;
import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.spi.storage.Mapping;
import io.fastsafetensors.spi.storage.StorageFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/// A file mapped read-only and page-locked, so that the device copies straight out of the page cache. Mapped when the
/// first block is wanted. Thread-safe.
///
/// Registration is the driver's page-locking of memory that the program has mapped. It is expensive, and pays where a
/// file is loaded again and again: hence [MappedFiles] keeps it.
final class MappedFile {
    /// How much is brought into memory by one call: enough to be worth one, little enough to be stopped between two.
    private static final long STRETCH = 64L << 20;

    private final long length;
    private final Backend backend;
    private final @Nullable LibC libc;
    private @Nullable Arena arena;
    private @Nullable MemorySegment memory;
    private @Nullable HostRegistration registration;

    /// @param libc null where native calls are not possible: pages are then brought in by the registration
    MappedFile(long length, Backend backend, @Nullable LibC libc) {
        this.length = length;
        this.backend = backend;
        this.libc = libc;
    }

    long length() {
        return length;
    }

    /// Whether it is registered already.
    synchronized boolean isRegistered() {
        return registration != null;
    }

    /// The file's bytes, page-locked; on first use this reads and locks the whole file.
    ///
    /// Other readers of the same file wait meanwhile; where it fails, the next one tries again.
    ///
    /// @param file open, of the identity that this mapping is of
    /// @throws UnsupportedFeatureException if the storage cannot map, or the backend cannot page-lock it
    synchronized MemorySegment memory(StorageFile file) {
        if (memory == null) {
            register(file);
        }
        if (memory == null) {
            throw new AssertionError("registered without memory");
        }
        return memory;
    }

    @SuppressWarnings("MustBeClosed")
    private void register(StorageFile file) {
        Arena mapping = Arena.ofShared();
        try {
            MemorySegment mapped = file.ability(Mapping.class).orElseThrow(() -> new UnsupportedFeatureException(
                    "this storage cannot be mapped; use another transfer path", file.location().where()))
                    .map(0, length, mapping);
            populate(mapped);
            registration = backend.registerHost(mapped, true).orElseThrow(() -> new UnsupportedFeatureException(
                    "this backend cannot page-lock a mapping; use another transfer path",
                    file.location().where().withBackend(backend.name())));
            memory = mapped;
            arena = mapping;
        } finally {
            if (arena == null) {
                mapping.close();
            }
        }
    }

    /// Brings the pages in beforehand, which is much faster than letting the registration do it. A kernel that cannot
    /// (before Linux 5.14) leaves it to the registration.
    private void populate(MemorySegment mapped) {
        if (libc == null) {
            return;
        }
        for (long at = 0; at < length; at += STRETCH) {
            long bytes = Math.min(STRETCH, length - at);
            if (libc.madvise(mapped.address() + at, bytes, LibC.MADV_POPULATE_READ) != 0) {
                return;
            }
        }
    }

    /// Gives the pages back; no copy from them is under way.
    ///
    /// The registration ends before the mapping does: the driver has the pages locked. A second call does nothing; a
    /// later [#memory] would register again.
    synchronized void close() {
        Releases releases = new Releases();
        HostRegistration registered = registration;
        Arena mapping = arena;
        registration = null;
        arena = null;
        memory = null;
        if (registered != null) {
            releases.run(registered::close);
        }
        if (mapping != null) {
            releases.run(mapping::close);
        }
        releases.finish();
    }
}
