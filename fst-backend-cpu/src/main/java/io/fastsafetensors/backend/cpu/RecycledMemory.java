package io.fastsafetensors.backend.cpu;

import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.spi.ffm.RawMemory;
import java.lang.foreign.Arena;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Keeps a little of the memory that was given back for the next allocation of that size: a stream takes and frees
/// batches and slots of the same sizes all the time, and the kernel would fill every page of each with zeros again. On
/// virtual machines that report free pages the host would also take them away and provide them again.
///
/// A piece of memory that is used again has a new segment; those of its former owner stay dead. Thread-safe.
final class RecycledMemory implements HostMemory {
    private static final long SMALLEST = 2L << 20;
    /// The most that is kept while nobody uses it.
    static final long MOST_KEPT = 64L << 20;
    /// A kept piece serves a wish that leaves at most this part of it unused.
    private static final int WASTE_PART = 8;

    private final HostMemory source;
    // The one given back last is at the end.
    private final ArrayDeque<Block> kept = new ArrayDeque<>();
    private long keptBytes;
    private boolean closed;

    /// @param source where memory comes from
    RecycledMemory(HostMemory source) {
        this.source = source;
    }

    @Override
    @SuppressWarnings("MustBeClosed") // The taker of the block closes its arena.
    public Block take(long bytes, long alignment) {
        if (bytes < SMALLEST || bytes > MOST_KEPT) {
            return source.take(bytes, alignment);
        }
        Block again = fitting(bytes, alignment);
        Block block = again == null ? source.take(bytes, alignment) : again;
        Arena arena = Arena.ofShared();
        return new Block(RawMemory.view(block.segment().address(), bytes, arena), arena, () -> giveBack(block));
    }

    @Override
    public String description() {
        return source.description();
    }

    private synchronized @Nullable Block fitting(long bytes, long alignment) {
        for (Iterator<Block> latest = kept.descendingIterator(); latest.hasNext();) {
            Block block = latest.next();
            long size = block.segment().byteSize();
            if (size >= bytes && size - bytes <= size / WASTE_PART && block.segment().address() % alignment == 0) {
                latest.remove();
                keptBytes -= size;
                return block;
            }
        }
        return null;
    }

    private void giveBack(Block block) {
        List<Block> surplus = new ArrayList<>();
        synchronized (this) {
            kept.addLast(block);
            keptBytes += block.segment().byteSize();
            while (keptBytes > (closed ? 0 : MOST_KEPT)) {
                surplus.add(removeOldest());
            }
        }
        releaseAll(surplus);
    }

    private Block removeOldest() {
        Block oldest = kept.removeFirst();
        keptBytes -= oldest.segment().byteSize();
        return oldest;
    }

    private static void releaseAll(List<Block> blocks) {
        Releases releases = new Releases();
        for (Block block : blocks) {
            releases.run(() -> {
                block.arena().close();
                block.release().run();
            });
        }
        releases.finish();
    }

    /// Gives everything back that is kept, and keeps nothing from now on.
    ///
    /// @throws io.fastsafetensors.error.BackendException if the system refuses; the rest is given back nevertheless
    @Override
    public void close() {
        List<Block> all;
        synchronized (this) {
            closed = true;
            all = List.copyOf(kept);
            kept.clear();
            keptBytes = 0;
        }
        releaseAll(all);
    }
}
