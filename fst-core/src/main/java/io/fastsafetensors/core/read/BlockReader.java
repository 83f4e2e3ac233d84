package io.fastsafetensors.core.read;

import io.fastsafetensors.api.DirectIo;
import io.fastsafetensors.core.plan.Pages;
import io.fastsafetensors.core.storage.cache.CachedFile;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.spi.storage.CacheResidency;
import io.fastsafetensors.spi.storage.DirectReads;
import io.fastsafetensors.spi.storage.StorageFile;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/// Reads blocks of one file the fastest way that each part allows. Used by many threads at once; allocates nothing.
///
/// A block lands so that its page-aligned start coincides with a page-aligned address, with room for whole pages at
/// both ends; then any part of it may be read directly.
///
/// Three ways, by what the page cache holds: out of the cache (a copy in memory), past it (O_DIRECT into the target,
/// which neither fills the cache nor copies), or through it, where direct reads are not possible. A look at the cache
/// costs a call; a block that is cached in part is looked at in steps.
public final class BlockReader {
    /// A partly cached block is looked at in steps of this: small enough to use what is cached, large enough that a
    /// direct read of one is worth its trip.
    private static final long STEP = 256 << 10;

    private final StorageFile file;
    private final DirectIo mode;
    /// Null where the storage knows nothing of a page cache; direct reads are always tried then.
    private final @Nullable CacheResidency residency;
    /// Null where they are switched off or the storage has none.
    private final @Nullable DirectReads directReads;
    /// Not null for a remote file that is read through the cache.
    private final @Nullable CachedFile copied;
    /// Reads the local copy, as fast as any local file.
    private final @Nullable BlockReader copy;
    private final ReadCounters counters;

    /// @param file stays the caller's; what it can do is asked here, once
    /// @param mode whether to read past the page cache always, never, or by what it holds
    /// @param counters shared by all readers of the load
    public BlockReader(StorageFile file, DirectIo mode, ReadCounters counters) {
        this.file = file;
        this.mode = mode;
        this.residency = file.ability(CacheResidency.class).orElse(null);
        this.directReads = mode == DirectIo.NEVER ? null : file.ability(DirectReads.class).orElse(null);
        this.copied = file.ability(CachedFile.class).orElse(null);
        this.copy = copied == null ? null : new BlockReader(copied.local(), mode, counters);
        this.counters = counters;
    }

    /// How this file is read, and why.
    public String reason() {
        return mode == DirectIo.NEVER ? "buffered: direct reads are switched off" : file.reason();
    }

    /// Reads the bytes `[from, to)` of the file.
    ///
    /// Bytes of the target outside `[from, to)`, up to whole pages, may be overwritten.
    ///
    /// @param target native memory
    /// @param targetOffset where the page of byte `from` lands; `target`'s address plus this is a multiple of the page
    ///        size, and there is room up to the end of the page of byte `to`
    /// @throws StorageException if the storage fails or the file ends early
    public void read(long from, long to, MemorySegment target, long targetOffset) {
        if (copied != null && copy != null && copied.holds(from, to)
                && readCopy(copied, copy, from, to, target, targetOffset)) {
            return;
        }
        long before = System.nanoTime();
        long base = Pages.floor(from);
        DirectReads past = directReads;
        if (past == null || !past.isDirect()) {
            buffered(from, to, target, targetOffset - base);
            counters.addBuffered(to - from);
        } else if (mode == DirectIo.ALWAYS || residency == null) {
            direct(past, from, to, target, targetOffset - base);
        } else {
            byResidency(residency, past, from, to, target, targetOffset - base);
        }
        counters.addNanos(System.nanoTime() - before);
    }

    /// Whether the local copy of a remote file had what is wanted; if not, it is fetched.
    ///
    /// A copy that is damaged or unreadable is forgotten for these bytes, and the storage is asked: a broken cache
    /// costs time and no load.
    private static boolean readCopy(CachedFile file, BlockReader copy, long from, long to, MemorySegment target,
            long targetOffset) {
        try {
            copy.read(from, to, target, targetOffset);
            return file.verify(from, to, target, targetOffset - Pages.floor(from));
        } catch (StorageException e) {
            file.failed(from, to, e);
            return false;
        }
    }

    /// Whether the page cache holds all of `[from, to)`, so that parts of it cost no trip to the disk each. Parts of
    /// the copy of a remote file cost a checksum of more than themselves: it is read as a whole.
    public boolean isCached(long from, long to) {
        return copied == null && mode != DirectIo.ALWAYS && residency != null && isCached(residency, from, to);
    }

    /// Reads the bytes `[from, to)` out of the page cache, a part of a block; [#readRuns] counts them.
    ///
    /// @param targetOffset where byte `from` lands
    public void readRun(long from, long to, MemorySegment target, long targetOffset) {
        buffered(from, to, target, targetOffset - from);
    }

    /// Counts the parts of a block that were read by [#readRun].
    public void readRuns(long bytes, long nanos) {
        counters.addCached(bytes);
        counters.addNanos(nanos);
    }

    /// Asks once for the block, and step by step only where a part of it is cached.
    private void byResidency(CacheResidency cache, DirectReads past, long from, long to, MemorySegment target,
            long shift) {
        long cached = cache.cachedBytes(from, to - from);
        if (cached < 0) {
            prefixThenDirect(cache, past, from, to, target, shift);
        } else if (cached == 0) {
            direct(past, from, to, target, shift);
        } else if (cached >= to - from) {
            cached(from, to, target, shift);
        } else {
            byStep(cache, past, from, to, target, shift);
        }
    }

    /// Before Linux 6.5 nobody counts cached pages; a read that must not wait tells of the first ones.
    private void prefixThenDirect(CacheResidency cache, DirectReads past, long from, long to, MemorySegment target,
            long shift) {
        long at = from;
        for (long got = 1; at < to && got > 0; at += got) {
            got = cache.readCached(at, target, at + shift, to - at);
        }
        counters.addCached(at - from);
        if (at < to) {
            direct(past, at, to, target, shift);
        }
    }

    /// Neighbouring steps of one kind are read as one run.
    private void byStep(CacheResidency cache, DirectReads past, long from, long to, MemorySegment target, long shift) {
        long runStart = from;
        boolean runCached = isCached(cache, from, Math.min(to, Pages.floor(from) + STEP));
        for (long at = Pages.floor(from) + STEP; at < to; at += STEP) {
            boolean cached = isCached(cache, at, Math.min(to, at + STEP));
            if (cached != runCached) {
                run(past, runCached, runStart, at, target, shift);
                runStart = at;
                runCached = cached;
            }
        }
        run(past, runCached, runStart, to, target, shift);
    }

    /// @param inCache whether all of the run is cached
    private void run(DirectReads past, boolean inCache, long from, long to, MemorySegment target, long shift) {
        if (inCache) {
            cached(from, to, target, shift);
        } else {
            direct(past, from, to, target, shift);
        }
    }

    /// Whether all of a range is; a page that may be missing is not counted.
    private static boolean isCached(CacheResidency cache, long from, long to) {
        return cache.cachedBytes(from, to - from) >= to - from;
    }

    /// A page may be evicted between the look and the read: then this waits for the disk, and the bytes are right all
    /// the same.
    private void cached(long from, long to, MemorySegment target, long shift) {
        buffered(from, to, target, shift);
        counters.addCached(to - from);
    }

    /// Reads all of it through the page cache.
    private void buffered(long from, long to, MemorySegment target, long shift) {
        for (long at = from; at < to;) {
            long got = file.read(at, target, at + shift, to - at);
            if (got == 0) {
                throw ended(at, to);
            }
            at += got;
        }
    }

    /// Whole pages at page-aligned offsets, the last one past the block's end: the room for them is the caller's
    /// promise. A short read goes on behind its last whole page.
    ///
    /// @param shift what is added to a file offset to get the offset in the target
    private void direct(DirectReads past, long from, long to, MemorySegment target, long shift) {
        long end = Pages.ceil(to);
        long at = Pages.floor(from);
        while (at < to) {
            long got = past.readDirect(at, target, at + shift, end - at);
            long whole = Pages.floor(Math.max(0, got));
            if (at + got >= to) {
                counters.addDirect(got);
                return;
            }
            if (got == 0) {
                throw ended(Math.max(at, from), to);
            }
            if (whole == 0) {
                // Refused, or a fragment that no aligned read can continue: the page cache takes any offset.
                long rest = Math.max(at, from);
                buffered(rest, to, target, shift);
                counters.addBuffered(to - rest);
                return;
            }
            counters.addDirect(whole);
            at += whole;
        }
    }

    /// Never zeros in place of bytes: a file that shrank is an error that names the offset.
    private StorageException ended(long at, long to) {
        return new StorageException("the file ended " + (to - at) + " bytes early: it shrank while it was being read",
                file.location().where().withOffset(at));
    }
}
