package io.fastsafetensors.core.read;

import java.util.concurrent.atomic.LongAdder;

/// Counters of the readers of one load; written by many threads, read by any. Adders and no atomic numbers, because
/// every block of every thread counts; sums are exact once the readers have ended.
///
/// A byte is counted once, in one of three: cached, direct or buffered. Direct reads count whole pages, so the sum
/// may be more than what was wanted.
public final class ReadCounters {
    private final LongAdder cached = new LongAdder();
    private final LongAdder direct = new LongAdder();
    private final LongAdder buffered = new LongAdder();
    private final LongAdder nanos = new LongAdder();

    /// None yet.
    public ReadCounters() {
    }

    /// Bytes that came out of the page cache.
    void addCached(long bytes) {
        cached.add(bytes);
    }

    /// Bytes that were read past it, whole pages: more than was wanted.
    void addDirect(long bytes) {
        direct.add(bytes);
    }

    /// Bytes that were read through the page cache without a look at what it holds.
    void addBuffered(long bytes) {
        buffered.add(bytes);
    }

    /// Bytes that direct storage read, and how long it took.
    public void directStorage(long bytes, long time) {
        addDirect(bytes);
        addNanos(time);
    }

    /// Bytes of other files that a block was made of, and how long reading them took.
    public void readParts(long bytes, long time) {
        addBuffered(bytes);
        addNanos(time);
    }

    /// Bytes that the device took out of the page cache by itself.
    public void mapped(long bytes) {
        addCached(bytes);
    }

    /// Bytes whose pages were mapped, how many of them the page cache held before, and how long it took.
    public void populated(long held, long bytes, long time) {
        addCached(held);
        addBuffered(bytes - held);
        addNanos(time);
    }

    /// Time that a thread spent in reads.
    void addNanos(long time) {
        nanos.add(time);
    }

    /// Bytes taken out of the page cache that held them.
    public long cachedBytes() {
        return cached.sum();
    }

    /// Bytes read past the page cache.
    public long directBytes() {
        return direct.sum();
    }

    /// Bytes of all reads, alignment included.
    public long bytes() {
        return cached.sum() + direct.sum() + buffered.sum();
    }

    /// Time inside reads, summed over threads.
    public double seconds() {
        return nanos.sum() / 1e9;
    }
}
