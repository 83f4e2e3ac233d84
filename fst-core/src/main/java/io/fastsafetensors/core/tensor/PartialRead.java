package io.fastsafetensors.core.tensor;

import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.core.header.ParsedCheckpoint;
import io.fastsafetensors.core.memory.SharedBuffer;
import io.fastsafetensors.core.plan.Pages;
import io.fastsafetensors.core.select.BackendSelector;
import io.fastsafetensors.core.shard.SliceView;
import io.fastsafetensors.core.storage.FileBytes;
import io.fastsafetensors.core.storage.SourceFiles;
import io.fastsafetensors.core.storage.Storages;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.types.Slice;
import io.fastsafetensors.types.TensorInfo;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.stream.LongStream;

/// Reads a part of one tensor from its file into host memory, and nothing else of the file.
///
/// Reads go through the page cache, on the calling thread and, where a run is long, on helpers. The tensor's memory
/// is that of the CPU backend, whatever device a loader has.
public final class PartialRead {
    /// Reading over a gap of this size costs less than a second read.
    private static final long GAP = 2L * Pages.SIZE;
    /// Short runs are read together through memory of this size.
    private static final long WINDOW = 1L << 20;
    /// Longer runs are read by several threads, each a piece at a time.
    private static final long PIECE = 32L << 20;

    private final StorageFile file;
    private final TensorInfo info;
    private final MemorySegment target;

    private PartialRead(StorageFile file, TensorInfo info, MemorySegment target) {
        this.file = file;
        this.info = info;
        this.target = target;
    }

    /// Opens the file of the tensor again, and reads.
    ///
    /// The version is compared before and after: all bytes are of the one whose header the checkpoint has.
    ///
    /// @return a detached tensor in host memory
    /// @throws io.fastsafetensors.error.SliceException if the slices do not fit
    /// @throws StorageException if it cannot be read, or is another version than the header's
    public static Tensor read(ParsedCheckpoint checkpoint, String name, Slice... slices) {
        TensorInfo info = checkpoint.info(name);
        SliceView slice = SliceView.of(name, info.dtype(), info.shape(), slices);
        LoadOptions options = LoadOptions.defaults();
        BackendSelector.Selected host = BackendSelector.open(options);
        try {
            DeviceBuffer memory = host.backend().get().allocate(slice.byteSize(),
                    host.backend().get().hints().tensorAlignment());
            SharedBuffer buffer = new SharedBuffer(memory, host.backend());
            boolean done = false;
            try (Storages storages = Storages.open(checkpoint.sources().options());
                    SourceFiles files = checkpoint.sources().again(storages)) {
                MemorySegment target = memory.segment().orElseThrow().asSlice(0, slice.byteSize());
                files.file(info.file()).reading(file -> {
                    new PartialRead(file, info, target).fill(slice);
                    return info;
                });
                done = true;
            } finally {
                if (!done) {
                    buffer.release();
                }
            }
            return CoreTensor.detached(buffer, host.device(), options.leakDetection(), name, info.dtype(),
                    slice.shape(), slice.byteSize());
        } finally {
            host.backend().release();
        }
    }

    /// Long runs are read straight to their places. Short ones, of rows say, are read together with what lies between: one
    /// walk goes ahead to find how many fit into the window, and a second one follows and copies.
    private void fill(SliceView slice) {
        SliceView.Runs ahead = slice.runs(info.dtype());
        long run = ahead.runBytes();
        if (run >= WINDOW / 2 || slice.contiguous()) {
            for (; ahead.hasRun(); ahead.advance()) {
                readLong(ahead.source(), ahead.target(), run);
            }
            return;
        }
        SliceView.Runs behind = slice.runs(info.dtype());
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment window = arena.allocate(WINDOW);
            while (ahead.hasRun()) {
                long begin = ahead.source();
                long end = skipNeighbours(ahead, begin);
                read(begin, window, 0, end - begin);
                while (behind.hasRun() && behind.source() < end) {
                    MemorySegment.copy(window, behind.source() - begin, target, behind.target(), run);
                    behind.advance();
                }
            }
        }
    }

    /// Goes past the runs that are read together with the one that begins there.
    ///
    /// @return where the last of them ends
    private static long skipNeighbours(SliceView.Runs ahead, long begin) {
        long end = begin;
        while (ahead.hasRun() && ahead.source() - end <= GAP && ahead.source() + ahead.runBytes() - begin <= WINDOW) {
            end = ahead.source() + ahead.runBytes();
            ahead.advance();
        }
        return end;
    }

    /// @param offset the first byte, in the tensor
    /// @param at where it goes in the result
    private void readLong(long offset, long at, long bytes) {
        if (bytes <= PIECE) {
            read(offset, target, at, bytes);
            return;
        }
        List<Long> pieces = LongStream.range(0, Math.ceilDiv(bytes, PIECE)).mapToObj(i -> i * PIECE).toList();
        ParallelFor.run("fst-read", pieces,
                from -> read(offset + from, target, at + from, Math.min(PIECE, bytes - from)));
    }

    private void read(long offset, MemorySegment into, long at, long bytes) {
        FileBytes.fill(file, info.file().where().withTensor(info.name()), info.fileOffset() + offset, into, at, bytes);
    }
}
