package io.fastsafetensors.backend.cuda;

import io.fastsafetensors.gpu.AlignedBlock;
import io.fastsafetensors.spi.Releases;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.ArrayDeque;
import java.util.Iterator;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// Keeps device memory that was given back for who allocates next: the driver clears what it frees, which costs the next
/// load of 8.7 GB some 20 ms of copying on an H200. Bounded; everything is freed after a quiet while, and when an
/// allocation fails. Thread-safe.
final class KeptMemory {
    /// Clearing less than this costs nothing that could be measured.
    static final long SMALLEST = 2L << 20;

    // Also two backends of one device share its memory.
    private static final Set<KeptMemory> ALL = ConcurrentHashMap.newKeySet();
    private static final Logger LOG = System.getLogger("io.fastsafetensors.backend.cuda");
    // A block may be so much larger than what is asked for: 1/8.
    private static final int WASTE_SHIFT = 3;

    private final long most;
    private final long quietNanos;
    private final Consumer<AlignedBlock> free;
    private final ArrayDeque<AlignedBlock> blocks = new ArrayDeque<>();
    private long bytes;
    private long lastUse;
    private boolean closed;
    private @Nullable Thread watcher;

    /// @param most bytes to keep at most, 0 for none
    /// @param quietMillis after how long without use everything is freed
    /// @param free frees a block
    KeptMemory(long most, long quietMillis, Consumer<AlignedBlock> free) {
        this.most = most;
        this.quietNanos = TimeUnit.MILLISECONDS.toNanos(quietMillis);
        this.free = free;
        ALL.add(this);
    }

    /// Frees everything that any backend of this process keeps.
    ///
    /// @return whether there was anything
    static boolean releaseAll() {
        boolean any = false;
        for (KeptMemory each : ALL) {
            any |= each.release();
        }
        return any;
    }

    /// Takes a block over if there is room for it, making room with the oldest ones.
    ///
    /// @return whether it was taken; else the caller frees it
    synchronized boolean keep(AlignedBlock block) {
        if (closed || block.bytes() < SMALLEST || block.bytes() > most) {
            return false;
        }
        while (bytes + block.bytes() > most) {
            AlignedBlock oldest = blocks.remove();
            bytes -= oldest.bytes();
            free.accept(oldest);
        }
        blocks.add(block);
        bytes += block.bytes();
        lastUse = System.nanoTime();
        if (watcher == null) {
            watcher = Thread.ofPlatform().daemon().name("fst-cuda-kept").start(this::watch);
        }
        return true;
    }

    /// The smallest kept block that serves, null if there is none.
    synchronized @Nullable AlignedBlock take(long wanted, long alignment) {
        AlignedBlock best = null;
        for (AlignedBlock block : blocks) {
            boolean serves = block.bytes() >= wanted && block.bytes() - wanted <= wanted >> WASTE_SHIFT
                    && block.isAligned(alignment);
            if (serves && (best == null || block.bytes() < best.bytes())) {
                best = block;
            }
        }
        if (best != null) {
            remove(best);
            lastUse = System.nanoTime();
        }
        return best;
    }

    private void remove(AlignedBlock taken) {
        Iterator<AlignedBlock> all = blocks.iterator();
        while (all.hasNext()) {
            if (all.next().base() == taken.base()) {
                all.remove();
                bytes -= taken.bytes();
                return;
            }
        }
    }

    /// The bytes kept now.
    synchronized long bytes() {
        return bytes;
    }

    /// Frees everything that is kept.
    ///
    /// @return whether there was anything
    /// @throws RuntimeException the first that a free failed with; the others are freed nevertheless
    synchronized boolean release() {
        boolean any = !blocks.isEmpty();
        Releases releases = new Releases();
        while (!blocks.isEmpty()) {
            AlignedBlock block = blocks.remove();
            bytes -= block.bytes();
            releases.run(() -> free.accept(block));
        }
        notifyAll();
        releases.finish();
        return any;
    }

    /// Frees everything, and keeps nothing from now on.
    synchronized void close() {
        closed = true;
        ALL.remove(this);
        release();
    }

    private synchronized void watch() {
        try {
            while (!blocks.isEmpty()) {
                long left = lastUse + quietNanos - System.nanoTime();
                if (left <= 0) {
                    release();
                } else {
                    wait(TimeUnit.NANOSECONDS.toMillis(left) + 1);
                }
            }
        } catch (InterruptedException e) {
            LOG.log(Level.DEBUG, "the thread that frees kept device memory was interrupted; trim() frees it", e);
        } catch (RuntimeException e) {
            LOG.log(Level.WARNING, "kept device memory could not be freed", e);
        } finally {
            watcher = null;
        }
    }
}
