package io.fastsafetensors.core.transfer;

import io.fastsafetensors.core.jfr.Recorder;
import io.fastsafetensors.core.jfr.Recorder.Span;
import io.fastsafetensors.core.memory.LoadMemory;
import io.fastsafetensors.core.plan.BlockTable;
import io.fastsafetensors.core.plan.Pages;
import io.fastsafetensors.core.read.BlockReader;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.types.DType;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/// Puts blocks into memory that the host can address: in place, or through a slot of its own.
///
/// A block of a file that is planned in place is read straight to where its tensors stay: nothing is copied. Any other
/// block is read into the slot, from where this thread copies, converts or gathers each run to its place. The next block is
/// read into the same slot, so conversions, which are queued on a stream, are waited for before the block counts.
///
/// A block counts as arrived when [#transfer(int)] returns, so this has nothing in flight. `PlannedPath.IN_PLACE`
/// needs neither slot nor stream: a load in place allocates nothing besides its buffers.
final class HostTransfer implements BlockTransfer, BlockRuns.Sink {
    private final LoadContext load;
    private final Backend backend;
    private final BlockRuns runs = new BlockRuns(this);
    /// Memory for one block, out of the load's grant. Taken by the first block that needs it, because a load in place has
    /// no room for it in its budget.
    private LoadMemory.@Nullable Scratch slot;
    /// For what kernels do; copies are the host's own.
    private @Nullable CopyStream stream;
    /// Where the runs of the block at hand go.
    private @Nullable DeviceBuffer target;
    private @Nullable RunReader runReader;
    /// Whether the block at hand has queued work on the stream.
    private boolean converting;
    /// Whether the block at hand was read run by run, so that its rows lie behind one another in the slot.
    private boolean packed;

    HostTransfer(LoadContext load) {
        this.load = load;
        this.backend = load.backend().get();
    }

    /// The buffer is waited for before the read, because a block in place is read into it.
    @Override
    public void transfer(int index) {
        BlockTable blocks = load.blocks();
        DeviceBuffer buffer = load.bufferOf(index);
        if (buffer == null) {
            return;
        }
        BlockReader reader = load.files().forBlock(blocks.file(index));
        long start = blocks.start(index);
        long end = blocks.end(index);
        Span read = Recorder.read(load.fileOf(index).location(), start, end - start);
        if (blocks.target(index) != BlockTable.MOVED) {
            reader.read(start, end, segment(buffer), blocks.target(index));
            read.finish("read");
        } else {
            packed = runs(reader).read(index, reader, segment(slot()));
            if (!packed) {
                reader.read(start, end, segment(slot()), 0);
            }
            read.finish("read");
            if (!packed) {
                load.tap().read(index, segment(slot()), Pages.floor(start));
            }
            long before = System.nanoTime();
            target = buffer;
            converting = false;
            runs.forEach(load.fileOf(index), start, end);
            if (converting) {
                stream().synchronize();
            }
            load.placeNanos().add(System.nanoTime() - before);
        }
        load.arrived(index);
    }

    @Override
    public void copy(long source, long bytes, long targetOffset) {
        MemorySegment.copy(segment(slot()), source, segment(target()), targetOffset, bytes);
    }

    @Override
    public void convert(long source, long bytes, DType from, long targetOffset, DType to, long elements) {
        converting = true;
        backend.kernels().convert(stream(), new BufferSlice(slot(), source, bytes), from,
                new BufferSlice(target(), targetOffset, to.byteSize(elements)), to, elements);
    }

    /// Rows of one dtype are copied by the host, one by one; a conversion goes through the backend's kernel in one
    /// call.
    @Override
    public void gather(long source, BlockRuns.Rows rows, DType from, long targetOffset, DType to) {
        if (packed) {
            long bytes = rows.count() * rows.bytes();
            if (from == to) {
                copy(source, bytes, targetOffset);
            } else {
                convert(source, bytes, from, targetOffset, to, bytes * 8 / from.bits());
            }
            return;
        }
        if (from == to) {
            for (long row = 0; row < rows.count(); row++) {
                copy(source + row * rows.stride(), rows.bytes(), targetOffset + row * rows.bytes());
            }
            return;
        }
        converting = true;
        long elements = rows.count() * rows.bytes() * 8 / from.bits();
        backend.kernels().gather(stream(), new BufferSlice(slot(), source, rows.span()), from, rows.view(from),
                new BufferSlice(target(), targetOffset, to.byteSize(elements)), to);
    }

    /// @param first the reader of the block at hand; the run reader is given each block's own later
    private RunReader runs(BlockReader first) {
        RunReader mine = runReader == null ? new RunReader(load, first) : runReader;
        runReader = mine;
        return mine;
    }

    /// The same for every block of this reader; freed with it.
    private DeviceBuffer slot() {
        LoadMemory.Scratch mine = slot;
        if (mine == null) {
            mine = load.memory().allocateScratch(load.plan().slotBytes(), Pages.SIZE);
            slot = mine;
        }
        return mine.buffer();
    }

    /// Not of a pool, of which there is none where the host can address the memory.
    private CopyStream stream() {
        CopyStream mine = stream;
        if (mine == null) {
            mine = backend.openCopyStream();
            stream = mine;
        }
        return mine;
    }

    private DeviceBuffer target() {
        if (target == null) {
            throw new AssertionError("a run without a buffer");
        }
        return target;
    }

    private static MemorySegment segment(DeviceBuffer buffer) {
        return buffer.segment().orElseThrow(() -> new AssertionError("planned for host-addressable memory"));
    }

    @Override
    public void finish() {
        // Every block was in place when the transfer returned.
    }

    @Override
    public void close() {
        Releases releases = new Releases();
        CopyStream used = stream;
        if (used != null) {
            releases.run(used::close);
        }
        LoadMemory.Scratch memory = slot;
        if (memory != null) {
            releases.run(memory::close);
        }
        releases.finish();
    }
}
