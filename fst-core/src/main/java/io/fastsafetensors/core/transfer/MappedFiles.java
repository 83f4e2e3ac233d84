package io.fastsafetensors.core.transfer;

import io.fastsafetensors.core.linux.ffm.LibC;
import io.fastsafetensors.core.linux.ffm.PlatformLibC;
import io.fastsafetensors.core.memory.ProcessLimit;
import io.fastsafetensors.core.memory.SharedBackend;
import io.fastsafetensors.core.memory.SharedResources;
import io.fastsafetensors.core.storage.SourceFile;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.HostRegistration;
import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.spi.SystemMemory;
import io.fastsafetensors.spi.storage.FileIdentity;
import io.fastsafetensors.spi.storage.Mapping;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.types.Location;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// The registered mappings of one device. They stay registered for the next load of the same files, within a bound,
/// until the last loader of the device is closed; the ones used longest ago go first. Thread-safe.
///
/// A file is counted from when it is taken, though its pages are locked by the first block only: two loads never plan
/// for the same room in the bound. Files in use are never unmapped, so the bound can keep a load from mapping, and
/// never takes a mapping away from one.
public final class MappedFiles {
    private static final String MOST_BYTES = "fst.mappedBytes";
    private static final SharedResources<SharedBackend, MappedFiles> OPEN = new SharedResources<>(MappedFiles::new,
            MappedFiles::dispose);

    /// Where neither machine nor container say how much memory there is.
    private static final long ASSUMED_MEMORY = 8L << 30;

    private final SharedBackend backend;
    private final long mostBytes = mostBytesInForce();
    /// In the order of access, the longest unused first; guarded by this object.
    private final Map<Version, Entry> entries = new LinkedHashMap<>(16, 0.75f, true);

    /// One version of a file: a changed one is another. An identity tells versions of one file apart, not files.
    private record Version(Location location, FileIdentity identity) {
    }

    /// A mapping with the number of loads that use it; 0 for one that is kept.
    private static final class Entry {
        private final MappedFile file;
        private int loads;

        Entry(MappedFile file) {
            this.file = file;
        }
    }

    private static long mostBytesInForce() {
        return ProcessLimit.bytes(MOST_BYTES, 0).orElseGet(MappedFiles::defaultBound);
    }

    private MappedFiles(SharedBackend backend) {
        this.backend = backend;
        backend.retain();
    }

    /// Half of the memory: page-locked pages are taken from everything else on the machine.
    private static long defaultBound() {
        long total = SystemMemory.ofThisProcess().read().total();
        return (total < 0 ? ASSUMED_MEMORY : total) / 2;
    }

    /// One reference to the mappings of a device; ended by [#release()].
    public static MappedFiles open(SharedBackend backend) {
        return OPEN.retain(backend);
    }

    /// One reference less; the last unmaps everything.
    public void release() {
        OPEN.release(backend);
    }

    /// Takes a file for a load, making room for it. Nothing is mapped yet if it was not before.
    ///
    /// @return null if the bound, less what other loads use, or the memory that is available has no room for it
    synchronized @Nullable MappedFile take(SourceFile file, long length) {
        Version version = new Version(file.location(), file.identity());
        Entry entry = entries.get(version);
        if (entry == null) {
            if (!makeRoom(length)) {
                return null;
            }
            entry = new Entry(new MappedFile(length, backend.get(), PlatformLibC.instance()));
            entries.put(version, entry);
        }
        entry.loads++;
        return entry.file;
    }

    /// Under the lock, unmapping included: a mapping that is being given up must not be counted as free room by
    /// another load.
    private boolean makeRoom(long bytes) {
        Iterator<Entry> oldest = entries.values().iterator();
        while (bytes() + bytes > mostBytes && oldest.hasNext()) {
            Entry entry = oldest.next();
            if (entry.loads == 0) {
                oldest.remove();
                entry.file.close();
            }
        }
        return bytes() + bytes <= mostBytes && isAvailable(bytes);
    }

    /// Whether the machine and the container have room for so many page-locked bytes more.
    private static boolean isAvailable(long bytes) {
        long free = SystemMemory.ofThisProcess().read().free();
        return free < 0 || bytes <= free;
    }

    /// A load is done with a file; it stays mapped.
    synchronized void give(MappedFile file) {
        for (Entry entry : entries.values()) {
            if (entry.file == file) {
                entry.loads--;
                return;
            }
        }
        throw new AssertionError("given back, never taken");
    }

    /// The bytes mapped, or about to be.
    public synchronized long bytes() {
        return entries.values().stream().mapToLong(e -> e.file.length()).sum();
    }

    /// The most bytes that stay mapped: half of the memory of machine or container, or the system property
    /// `fst.mappedBytes`.
    long mostBytes() {
        return mostBytes;
    }

    /// Unmaps what no load is using.
    public void trim() {
        List<MappedFile> idle = new ArrayList<>();
        synchronized (this) {
            entries.values().removeIf(entry -> entry.loads == 0 && idle.add(entry.file));
        }
        Releases releases = new Releases();
        idle.forEach(file -> releases.run(file::close));
        releases.finish();
    }

    private void dispose() {
        new Releases().run(this::trim).run(backend::release).finish();
    }

    /// A file mapped read-only and page-locked, so that the device copies straight out of the page cache. Mapped when the
    /// first block is wanted. Thread-safe.
    ///
    /// Registration is the driver's page-locking of memory that the program has mapped. It is expensive, and pays where a
    /// file is loaded again and again: hence [MappedFiles] keeps it.
    static final class MappedFile {
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

        /// With the lock held, so that a file is registered once; readers of other files are not kept waiting.
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
}
