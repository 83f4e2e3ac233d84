package io.fastsafetensors.core.place;

import io.fastsafetensors.core.place.ffm.HostLibC;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.HostRegistration;
import io.fastsafetensors.spi.Releases;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.jspecify.annotations.Nullable;

/// A file mapped read-only and page-locked, so that the device copies straight out of the page cache. Mapped when the
/// first block is wanted. Thread-safe.
final class MappedFile {
    /// How much is brought into memory by one call: enough to be worth one, little enough to be stopped between two.
    private static final long STRETCH = 64L << 20;

    private final Path path;
    private final long length;
    private final Backend backend;
    private final @Nullable HostLibC libc;
    private @Nullable Arena arena;
    private @Nullable MemorySegment memory;
    private @Nullable HostRegistration registration;

    /// @param libc null where native calls are not possible: pages are then brought in by the registration
    MappedFile(Path path, long length, Backend backend, @Nullable HostLibC libc) {
        this.path = path;
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
    synchronized MemorySegment memory() {
        if (memory == null) {
            register();
        }
        if (memory == null) {
            throw new AssertionError("registered without memory");
        }
        return memory;
    }

    @SuppressWarnings("MustBeClosed")
    private void register() {
        Arena mapping = Arena.ofShared();
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            if (channel.size() != length) {
                throw new StorageException("the file changed: it had " + length + " bytes when its header was read and"
                        + " has " + channel.size() + " now; load it again", Where.file(path));
            }
            MemorySegment mapped = channel.map(MapMode.READ_ONLY, 0, length, mapping);
            populate(mapped);
            registration = backend.registerHost(mapped, true).orElseThrow(() -> new UnsupportedFeatureException(
                    "this backend cannot page-lock a mapping; use another transfer path",
                    Where.file(path).withBackend(backend.name())));
            memory = mapped;
            arena = mapping;
        } catch (IOException e) {
            throw new StorageException("cannot map: " + e, Where.file(path), e);
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
            if (libc.madvise(mapped.address() + at, bytes, HostLibC.MADV_POPULATE_READ) != 0) {
                return;
            }
        }
    }

    /// Gives the pages back; no copy from them is under way.
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
