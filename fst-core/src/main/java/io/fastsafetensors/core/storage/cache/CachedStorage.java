package io.fastsafetensors.core.storage.cache;

import io.fastsafetensors.spi.storage.FileIdentity;
import io.fastsafetensors.spi.storage.LocalCopies;
import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.spi.storage.StorageEntry;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.spi.storage.StorageOptions;
import io.fastsafetensors.types.Location;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/// A remote storage whose files are read from copies on this machine where there are some: whole ones that the storage keeps
/// itself, and the cache's.
///
/// Only files whose identity lasts are cached: where two versions cannot be told apart, a copy could be of either.
/// Listing, kinds and pins are always the remote storage's, so that a checkpoint is resolved as it is there now.
public final class CachedStorage implements Storage {
    private final Storage remote;
    /// Not closed: it is the process's.
    private final Storage local;
    private final Optional<LocalCopies> copies;
    /// Empty where the cache is off and only the storage's own copies are used.
    private final Optional<CacheDirectory> directory;

    private CachedStorage(Storage remote, Storage local, Optional<CacheDirectory> directory) {
        this.remote = remote;
        this.local = local;
        this.copies = remote.localCopies();
        this.directory = directory;
    }

    /// The storage itself, or this one around it if it keeps copies or the cache is on.
    ///
    /// @param remote closed by the result
    /// @param local opens paths of the default file system; stays the caller's
    /// @throws io.fastsafetensors.error.ConfigException if a setting of the cache cannot be understood
    public static Storage around(Storage remote, Storage local, StorageOptions options) {
        Optional<Path> own = remote.localCopies().map(LocalCopies::partsDirectory);
        Optional<CacheDirectory> directory = CacheSettings.of(options, own).map(CacheDirectory::of);
        return directory.isEmpty() && own.isEmpty() ? remote : new CachedStorage(remote, local, directory);
    }

    @Override
    public Location pin(Location location) {
        return remote.pin(location);
    }

    @Override
    public Kind kind(Location location) {
        return remote.kind(location);
    }

    @Override
    public List<StorageEntry> list(Location location) {
        return remote.list(location);
    }

    @Override
    public Optional<LocalCopies> localCopies() {
        return copies;
    }

    /// A whole copy of the storage's own first, then the cache's entry; and the remote file as it is where the cache
    /// cannot be used, since it is no reason to fail.
    @Override
    public StorageFile open(Location file) {
        Optional<Path> copy = copies.flatMap(all -> all.find(file));
        if (copy.isPresent()) {
            StorageFile opened = local.open(Location.of(copy.get()));
            return new CopiedFile(file, opened, copies.get().identity(file, opened.length()));
        }
        StorageFile opened = remote.open(file);
        if (directory.isEmpty() || opened.length() == 0 || !opened.hasLastingIdentity()) {
            return opened;
        }
        CacheEntry entry =
                CacheEntry.open(directory.get(), local, opened.location(), opened.identity(), opened.length());
        return entry == null ? opened : new CachedFile(opened, entry, directory.get(), copies);
    }

    @Override
    public void close() {
        remote.close();
    }

    /// A whole copy, under the location of the file that it is one of. The storage that keeps it vouches for it, so it
    /// is read without checksums, and has the abilities of a local file (direct reads, mapping).
    private record CopiedFile(Location location, StorageFile copy, FileIdentity identity) implements StorageFile {
        @Override
        public long length() {
            return copy.length();
        }

        @Override
        public FileIdentity currentIdentity() {
            FileIdentity now = copy.currentIdentity();
            return now.equals(copy.identity()) ? identity : now;
        }

        @Override
        public boolean isCurrent() {
            return copy.isCurrent();
        }

        @Override
        public long read(long offset, MemorySegment target, long targetOffset, long bytes) {
            return copy.read(offset, target, targetOffset, bytes);
        }

        @Override
        public String storageName() {
            return copy.storageName();
        }

        @Override
        public String reason() {
            return "the copy " + copy.location() + ": " + copy.reason();
        }

        @Override
        public int preferredReadBytes() {
            return copy.preferredReadBytes();
        }

        @Override
        public int preferredParallelReads() {
            return copy.preferredParallelReads();
        }

        @Override
        public <A> Optional<A> ability(Class<A> type) {
            return copy.ability(type);
        }

        @Override
        public void close() {
            copy.close();
        }
    }
}
