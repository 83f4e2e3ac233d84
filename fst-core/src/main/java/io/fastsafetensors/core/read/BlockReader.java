package io.fastsafetensors.core.read;

import io.fastsafetensors.api.DirectIo;
import io.fastsafetensors.core.plan.Pages;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.error.Where;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/// Reads blocks of one file the fastest way that each part allows. Used by many threads at once; allocates nothing.
///
/// A block lands so that its page-aligned start coincides with a page-aligned address, with room for whole pages at
/// both ends; then any part of it may be read directly.
public final class BlockReader implements AutoCloseable {
    /// A partly cached block is looked at in steps of this: small enough to use what is cached, large enough that a
    /// direct read of one is worth its trip.
    private static final long STEP = 256 << 10;

    private final StorageFile file;
    private final DirectIo mode;
    private final ReadCounters counters;

    private BlockReader(StorageFile file, DirectIo mode, ReadCounters counters) {
        this.file = file;
        this.mode = mode;
        this.counters = counters;
    }

    /// Opens a file.
    ///
    /// @param expectedLength its length when its header was read
    /// @throws StorageException if it cannot be opened, or has another length now
    public static BlockReader open(Storage storage, Path path, long expectedLength, DirectIo mode,
            ReadCounters counters) {
        StorageFile file = storage.open(path, mode != DirectIo.NEVER);
        if (file.length() != expectedLength) {
            file.close();
            throw new StorageException("the file changed: it had " + expectedLength
                    + " bytes when its header was read and has " + file.length() + " now; load it again",
                    Where.file(path));
        }
        return new BlockReader(file, mode, counters);
    }

    /// How this file is read, and why.
    public String reason() {
        return file.reason();
    }

    /// Reads the bytes `[from, to)` of the file.
    ///
    /// @param target native memory
    /// @param targetOffset where the page of byte `from` lands; `target`'s address plus this is a multiple of the page
    ///        size, and there is room up to the end of the page of byte `to`
    /// @throws StorageException if the storage fails or the file ends early
    public void read(long from, long to, MemorySegment target, long targetOffset) {
        long before = System.nanoTime();
        long base = Pages.floor(from);
        if (mode == DirectIo.NEVER || !file.isDirect()) {
            buffered(from, to, target, targetOffset - base);
            counters.addBuffered(to - from);
        } else if (mode == DirectIo.ALWAYS) {
            direct(from, to, target, targetOffset - base);
        } else {
            byResidency(from, to, target, targetOffset - base);
        }
        counters.addNanos(System.nanoTime() - before);
    }

    private void byResidency(long from, long to, MemorySegment target, long shift) {
        long cached = file.cachedPages(Pages.floor(from), to - Pages.floor(from));
        if (cached < 0) {
            prefixThenDirect(from, to, target, shift);
        } else if (cached == 0) {
            direct(from, to, target, shift);
        } else if (cached >= pages(from, to)) {
            cached(from, to, target, shift);
        } else {
            byStep(from, to, target, shift);
        }
    }

    /// Before Linux 6.5 nobody counts cached pages; a read that must not wait tells of the first ones.
    private void prefixThenDirect(long from, long to, MemorySegment target, long shift) {
        long at = from;
        for (long got = 1; at < to && got > 0; at += got) {
            got = file.readCached(at, target, at + shift, to - at);
        }
        counters.addCached(at - from);
        if (at < to) {
            direct(at, to, target, shift);
        }
    }

    private void byStep(long from, long to, MemorySegment target, long shift) {
        long runStart = from;
        boolean runCached = isCached(from, Math.min(to, Pages.floor(from) + STEP));
        for (long at = Pages.floor(from) + STEP; at < to; at += STEP) {
            boolean cached = isCached(at, Math.min(to, at + STEP));
            if (cached != runCached) {
                run(runCached, runStart, at, target, shift);
                runStart = at;
                runCached = cached;
            }
        }
        run(runCached, runStart, to, target, shift);
    }

    private void run(boolean inCache, long from, long to, MemorySegment target, long shift) {
        if (inCache) {
            cached(from, to, target, shift);
        } else {
            direct(from, to, target, shift);
        }
    }

    private boolean isCached(long from, long to) {
        return file.cachedPages(Pages.floor(from), to - Pages.floor(from)) >= pages(from, to);
    }

    private static long pages(long from, long to) {
        return (Pages.ceil(to) - Pages.floor(from)) / Pages.SIZE;
    }

    private void cached(long from, long to, MemorySegment target, long shift) {
        buffered(from, to, target, shift);
        counters.addCached(to - from);
    }

    private void buffered(long from, long to, MemorySegment target, long shift) {
        for (long at = from; at < to;) {
            long got = file.readBuffered(at, target, at + shift, to - at);
            if (got == 0) {
                throw ended(at, to);
            }
            at += got;
        }
    }

    private void direct(long from, long to, MemorySegment target, long shift) {
        long end = Pages.ceil(to);
        long at = Pages.floor(from);
        while (at < to) {
            long got = file.readDirect(at, target, at + shift, end - at);
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

    private StorageException ended(long at, long to) {
        return new StorageException("the file ended " + (to - at) + " bytes early: it shrank while it was being read",
                Where.file(file.path()).withOffset(at));
    }

    /// Closes the file, after the last read has returned. Idempotent.
    @Override
    public void close() {
        file.close();
    }
}
