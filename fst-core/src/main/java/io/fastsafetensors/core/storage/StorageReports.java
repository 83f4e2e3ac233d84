package io.fastsafetensors.core.storage;

import io.fastsafetensors.api.Diagnostics.StorageReport;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.spi.storage.CacheResidency;
import io.fastsafetensors.spi.storage.DirectReads;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.types.Location;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.util.Optional;

/// Tells how files would be read, and evicts them from the page cache. What is reported is tried and not guessed: one
/// page is read past the cache. Links are resolved, so that the report names the file and not the link.
public final class StorageReports {
    private static final int PAGE = 4096;

    private StorageReports() {
    }

    /// How a file would be read, and what the page cache holds of it now.
    ///
    /// Reads at most one page.
    public static StorageReport of(SourceFile file) {
        StorageFile open = file.retain();
        try {
            // First, since the try of a direct read may bring a page into the cache.
            long cached = open.ability(CacheResidency.class)
                    .map(residency -> residency.cachedBytes(0, open.length())).orElse(-1L);
            boolean direct = isDirect(open);
            return new StorageReport(real(file.location()), open.storageName(), open.length(), cached, direct,
                    open.reason());
        } finally {
            file.release();
        }
    }

    /// Evicts a file from the page cache.
    ///
    /// @return the file
    /// @throws UnsupportedFeatureException if its storage cannot do this
    public static SourceFile evict(SourceFile file) {
        StorageFile open = file.retain();
        try {
            if (!open.ability(CacheResidency.class).map(CacheResidency::evict).orElse(false)) {
                throw new UnsupportedFeatureException("storage of the kind " + open.storageName()
                        + " cannot evict from the page cache here", file.location().where());
            }
            return file;
        } finally {
            file.release();
        }
    }

    /// Whether a direct read works: a file system may allow the opening and refuse the reading.
    private static boolean isDirect(StorageFile file) {
        Optional<DirectReads> reads = file.ability(DirectReads.class);
        if (reads.isEmpty() || !reads.get().isDirect()) {
            return false;
        }
        try (Arena arena = Arena.ofShared()) {
            return reads.get().readDirect(0, arena.allocate(PAGE, PAGE), 0, PAGE) != DirectReads.REFUSED;
        }
    }

    /// The location with its links followed.
    private static Location real(Location location) {
        if (!location.isLocal()) {
            return location;
        }
        try {
            return Location.of(location.path().orElseThrow().toRealPath());
        } catch (IOException e) {
            throw new StorageException("cannot open: " + Errnos.describe(e), location.where(), e);
        }
    }
}
