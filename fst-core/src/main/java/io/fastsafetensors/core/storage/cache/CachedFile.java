package io.fastsafetensors.core.storage.cache;

import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.spi.storage.CacheResidency;
import io.fastsafetensors.spi.storage.FileIdentity;
import io.fastsafetensors.spi.storage.LocalCopies;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.types.Location;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.LongAdder;

/// A remote file that is read through a local copy: what the copy holds is read there, the rest is fetched and written
/// to it.
///
/// Its identity, and whether it is current, are the remote file's: a copy never decides which version is read. Bytes of
/// the copy count only once [#verify] has compared them with the checksums of when they were written; whatever is wrong
/// with the copy costs a second transfer and no failure. Thread-safe; two threads that miss the same range both fetch
/// it.
public final class CachedFile implements StorageFile, CacheResidency {
    private final StorageFile remote;
    private final CacheEntry entry;
    /// Where the storage itself keeps whole copies; empty for most.
    private final Optional<LocalCopies> copies;
    private final CacheDirectory directory;
    /// Bytes that came from the copy, for the report.
    private final LongAdder hits = new LongAdder();
    /// Bytes that were fetched, for the report.
    private final LongAdder misses = new LongAdder();
    /// Whether the whole copy was offered to the storage: offered once, whatever came of it.
    private final AtomicBoolean offered = new AtomicBoolean();
    private volatile boolean closed;

    /// @param remote closed with this
    /// @param entry closed with this
    CachedFile(StorageFile remote, CacheEntry entry, CacheDirectory directory, Optional<LocalCopies> copies) {
        this.remote = remote;
        this.entry = entry;
        this.directory = directory;
        this.copies = copies;
    }

    /// The copy: holds the bytes of which [#holds(long, long)] says so, at the same offsets.
    public StorageFile local() {
        return entry.local();
    }

    /// Whether the copy holds a range; asked before it is read there.
    ///
    /// True for an empty range.
    public boolean holds(long from, long to) {
        return entry.parts().heldUntil(from, to) == to;
    }

    /// Whether what was read from the copy is what was written to it; if not, the copy is known to hold it no longer.
    ///
    /// @param target has the bytes from `from` to `to` of the file
    /// @param shift where the first byte of the file would lie in `target`
    public boolean verify(long from, long to, MemorySegment target, long shift) {
        boolean right = entry.verify(from, to, target, shift);
        if (right) {
            hits.add(to - from);
        }
        return right;
    }

    /// The copy could not be read: it is known to hold this range no longer.
    public void failed(long from, long to, StorageException why) {
        entry.warn("cannot be read: " + why.getMessage());
        entry.parts().remove(from, to);
    }

    @Override
    public Location location() {
        return remote.location();
    }

    @Override
    public long length() {
        return remote.length();
    }

    @Override
    public FileIdentity identity() {
        return remote.identity();
    }

    @Override
    public FileIdentity currentIdentity() {
        return remote.currentIdentity();
    }

    @Override
    public boolean isCurrent() {
        boolean current = remote.isCurrent();
        if (current) {
            offer();
        }
        return current;
    }

    /// Where whole files are kept by the storage itself, it gets this one, once.
    private void offer() {
        if (copies.isEmpty() || !entry.isWhole() || !offered.compareAndSet(false, true)) {
            return;
        }
        LocalCopies keeper = copies.get();
        if (!entry.settle()) {
            return;
        }
        try {
            keeper.offer(location(), entry.path());
        } catch (StorageException e) {
            entry.remove();
            throw e;
        }
        if (keeper.find(location()).isPresent()) {
            entry.remove();
        }
    }

    /// Up to the end of what is held, or of what is not: the caller asks again for the rest. Before a range is fetched
    /// the list is looked at once more, because another process may have fetched it meanwhile.
    @Override
    public long read(long offset, MemorySegment target, long targetOffset, long bytes) {
        long to = Math.min(offset + bytes, length());
        if (offset >= to) {
            return remote.read(offset, target, targetOffset, bytes);
        }
        long held = entry.parts().heldUntil(offset, to);
        if (held == offset) {
            entry.refresh();
            held = entry.parts().heldUntil(offset, to);
        }
        if (held > offset && readLocal(offset, held, target, targetOffset)) {
            return held - offset;
        }
        long end = held > offset ? held : entry.parts().nextHeld(offset, to);
        long got = remote.read(offset, target, targetOffset, end - offset);
        misses.add(got);
        entry.store(offset, target, targetOffset, got);
        return got;
    }

    /// Reads a range that is held, and checks it; false if it has to be fetched.
    private boolean readLocal(long from, long to, MemorySegment target, long targetOffset) {
        try {
            for (long at = from; at < to;) {
                long got = local().read(at, target, targetOffset + at - from, to - at);
                if (got == 0) {
                    throw new StorageException("the copy ends early", local().location().where().withOffset(at));
                }
                at += got;
            }
            return verify(from, to, target, targetOffset - from);
        } catch (StorageException e) {
            failed(from, to, e);
            return false;
        }
    }

    /// 0 for what the copy does not hold: such bytes are fetched, whatever the page cache has.
    @Override
    public long cachedBytes(long offset, long bytes) {
        requireOpen();
        return holds(offset, offset + bytes) ? residency().map(r -> r.cachedBytes(offset, bytes)).orElse(-1L) : 0;
    }

    @Override
    public long readCached(long offset, MemorySegment target, long targetOffset, long bytes) {
        requireOpen();
        // What is read here would not be verified.
        return 0;
    }

    @Override
    public boolean evict() {
        requireOpen();
        return residency().map(CacheResidency::evict).orElse(false);
    }

    /// @throws IllegalStateException if it is closed
    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException("the file is closed: " + location());
        }
    }

    /// The page cache's view of the copy; empty where local files have none.
    private Optional<CacheResidency> residency() {
        return local().ability(CacheResidency.class);
    }

    @Override
    public String storageName() {
        return remote.storageName();
    }

    @Override
    public String reason() {
        return remote.reason() + "; through the cache " + directory + ", which had " + hits.sum() + " bytes and took "
                + misses.sum();
    }

    @Override
    public int preferredReadBytes() {
        return remote.preferredReadBytes();
    }

    /// A disk wants fewer reads at a time than an object store.
    @Override
    public int preferredParallelReads() {
        return entry.isWhole() ? local().preferredParallelReads() : remote.preferredParallelReads();
    }

    @Override
    public synchronized void close() {
        if (closed) {
            return;
        }
        closed = true;
        try (remote; entry) {
            // Files of which only headers or keys are read have no end of a load.
            offer();
        }
    }

    /// The location.
    @Override
    public String toString() {
        return location().toString();
    }
}
