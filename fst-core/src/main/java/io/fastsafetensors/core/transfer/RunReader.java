package io.fastsafetensors.core.transfer;

import io.fastsafetensors.core.plan.Pages;
import io.fastsafetensors.core.read.BlockReader;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.types.DType;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/// Reads of a block only the runs that tensors want, where its rows are cut and the page cache has them: what lies
/// between is neither read nor moved. Rows go behind one another, as they go on. Used by one reader.
///
/// Each block is gone through twice: first its runs are counted, and only if reading them one by one costs less than
/// reading the block are they read. Blocks that somebody looks at as a whole, and those that are not in the page cache, are
/// read as a whole: a drive reads what lies between in the time of one more request.
///
/// Short runs are copied out of a mapping of the file. Each read(2) takes and drops a reference to the open file and to
/// its pages, counters that all readers share: 24 of them read rows of 4 KiB at 19 GB/s together and copy them at 48.
///
/// The others are read through the page cache, at any alignment; O_DIRECT wants whole pages.
final class RunReader implements BlockRuns.Sink {
    /// What one more read of the page cache costs, in bytes that are read in that time.
    private static final long CALL_BYTES = 1 << 10;
    /// Runs up to this length, in the mean of a block, are copied out of a mapping: longer ones are read as fast.
    private static final long SHORT_RUN = 24 << 10;

    private final LoadContext load;
    private final BlockRuns runs = new BlockRuns(this);
    /// Whether the runs of the block at hand are counted now, rather than read.
    private boolean counting;
    /// The bytes that tensors want of the block at hand.
    private long wanted;
    /// How many reads these take.
    private long calls;
    private BlockReader reader;
    /// The file offset that byte 0 of [#slot] stands for.
    private long base;
    private MemorySegment slot = MemorySegment.NULL;
    /// The file as it is mapped; null where runs are read.
    private @Nullable MemorySegment mapped;

    /// @param first any reader of the load's files; each block names its own
    RunReader(LoadContext load, BlockReader first) {
        this.load = load;
        this.reader = first;
    }

    /// Reads a block's runs if that is worth it.
    ///
    /// @param into where the page of the block's first byte begins
    /// @return false if nothing was read, because the whole block should be
    boolean read(int block, BlockReader from, MemorySegment into) {
        long start = load.blocks().start(block);
        long end = load.blocks().end(block);
        if (!load.gathers() || !load.tap().equals(BlockListener.NONE) || !isSparse(block, start, end)
                || !from.isCached(start, end)) {
            return false;
        }
        long before = System.nanoTime();
        counting = false;
        reader = from;
        base = Pages.floor(start);
        slot = into;
        mapped = wanted <= SHORT_RUN * calls ? load.files().mappedForBlock(load.blocks().file(block)) : null;
        try {
            runs.forEach(load.fileOf(block), start, end);
        } catch (InternalError e) {
            throw shrank(block, e);
        } finally {
            mapped = null;
        }
        from.readRuns(wanted, System.nanoTime() - before);
        return true;
    }

    /// The virtual machine's error for pages of a mapping that the file no longer has.
    private StorageException shrank(int block, InternalError e) {
        if (mapped == null) {
            throw e;
        }
        return new StorageException("the file ended early: it shrank while it was being read",
                load.fileOf(block).location().where().withOffset(load.blocks().start(block)), e);
    }

    /// Compares what the two ways cost, in bytes: a read call counts as [#CALL_BYTES].
    private boolean isSparse(int block, long start, long end) {
        counting = true;
        wanted = 0;
        calls = 0;
        runs.forEach(load.fileOf(block), start, end);
        return wanted + calls * CALL_BYTES <= end - start && wanted < end - start;
    }

    @Override
    public void copy(long source, long bytes, long target) {
        take(source, bytes, source);
    }

    @Override
    public void convert(long source, long bytes, DType from, long target, DType to, long elements) {
        take(source, bytes, source);
    }

    @Override
    public void gather(long source, BlockRuns.Rows rows, DType from, long target, DType to) {
        if (counting) {
            wanted += rows.count() * rows.bytes();
            calls += rows.count();
            return;
        }
        for (long row = 0; row < rows.count(); row++) {
            take(source + row * rows.stride(), rows.bytes(), source + row * rows.bytes());
        }
    }

    /// @param source the first byte, from the page of the block's first byte
    /// @param at where it goes in the slot
    private void take(long source, long bytes, long at) {
        if (counting) {
            wanted += bytes;
            calls++;
            return;
        }
        MemorySegment file = mapped;
        if (file == null) {
            reader.readRun(base + source, base + source + bytes, slot, at);
        } else {
            MemorySegment.copy(file, base + source, slot, at, bytes);
        }
    }
}
