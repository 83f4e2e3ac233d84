package io.fastsafetensors.core.transfer;

import io.fastsafetensors.core.jfr.Recorder.Span;
import io.fastsafetensors.core.memory.LoadMemory;
import io.fastsafetensors.core.plan.BlockTable;
import io.fastsafetensors.core.plan.Pages;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.types.DType;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/// Copies blocks from page-locked host memory to their places on the device. What changes its dtype goes through device
/// memory of one block's size, so that the unconverted tensor never exists there as a whole. Rows are gathered in the
/// slot, so that only what is wanted crosses the link; those of a mapping, which is read-only, on the device.
///
/// The host memory must stay as it is until the fence of the block has passed: copies are asynchronous. Kernels and
/// copies of all blocks of a reader are on one stream, so they are done in the order in which they were submitted,
/// and memory that they share needs no fence between them.
///
/// A load is told of a block here, and not when its copy was submitted but when its fence has passed. From [#send] on this
/// owns the fence and the slot of a block; the transfer that sends blocks bounds their number with [#reduceTo].
final class HostToDevice implements BlockRuns.Sink {
    private final LoadContext load;
    private final Backend backend;
    private final CopyStream stream;
    private final BlockRuns runs = new BlockRuns(this);
    /// Whether rows may be moved within the host memory; a registered mapping is read-only.
    private final boolean slots;
    /// Whether the rows of the block at hand lie behind one another already.
    ///
    /// Set before the runs of a block are gone through; gathering then moves nothing.
    private boolean packed;
    /// The host memory of the block at hand, from the page of its first byte.
    private MemorySegment source = MemorySegment.NULL;
    private @Nullable DeviceBuffer target;
    /// Blocks under way, the oldest first. Copies of one stream finish in the order in which they were submitted, so
    /// only the oldest is ever waited for. Sized for all that may be under way, so that adding a block allocates
    /// nothing but its record.
    private final ArrayDeque<Flight> flying;
    /// Device memory of one block, for what is converted or gathered there. One is enough: work of a stream is done in
    /// order, so the next block's bytes arrive when the last kernel has read it.
    private LoadMemory.@Nullable Scratch scratch;

    /// Takes a stream of the pool until [#close(Releases)].
    ///
    /// @param slots whether the host memory is this reader's own, to be changed
    HostToDevice(LoadContext load, boolean slots) {
        this.load = load;
        this.slots = slots;
        this.backend = load.backend().get();
        this.stream = load.slots().takeStream();
        this.flying = new ArrayDeque<>(load.blocksInFlight() + 1);
    }

    /// A block under way.
    ///
    /// @param slot what goes back to the pool when the fence has passed, if anything
    private record Flight(int block, Fence fence, @Nullable StagingBuffer slot, Span span) {
    }

    boolean isIdle() {
        return flying.isEmpty();
    }

    /// Completes what has arrived, waiting for nothing.
    void completeArrived() {
        while (!flying.isEmpty() && flying.element().fence().isPassed()) {
            complete(flying.remove());
        }
    }

    /// Waits until at most `most` are under way.
    void reduceTo(int most) {
        while (flying.size() > most) {
            completeOldest();
        }
        completeArrived();
    }

    /// Waits for the oldest. The time that passes counts as time for moving blocks: the device is what is waited for.
    void completeOldest() {
        long before = System.nanoTime();
        flying.element().fence().await();
        load.placeNanos().add(System.nanoTime() - before);
        complete(flying.remove());
    }

    /// The slot goes back before the load is told: what the load is told may throw, where the file has changed.
    private void complete(Flight flight) {
        flight.span().finish("in place");
        StagingBuffer slot = flight.slot();
        try {
            flight.fence().close();
        } finally {
            if (slot != null) {
                load.slots().give(slot, true);
            }
        }
        load.arrived(flight.block());
    }

    /// Submits the copies of a block. Waits until the file's buffer is allocated, for as long as the load is not stopped.
    ///
    /// @param host memory that stays as it is until the block has arrived
    /// @param page where in it the page of the block's first byte begins
    /// @param rowsPacked whether rows lie behind one another already, as [RunReader] reads them
    /// @param slot the slot that `host` is in, if it is in one; taken over if the block was sent
    /// @param span that of the copy; finished when it has arrived
    /// @return false if the load was stopped before
    boolean send(int block, MemorySegment host, long page, boolean rowsPacked, @Nullable StagingBuffer slot,
            Span span) {
        BlockTable blocks = load.blocks();
        target = load.bufferOf(block);
        if (target == null) {
            return false;
        }
        long bytes = blocks.end(block) - Pages.floor(blocks.start(block));
        packed = rowsPacked;
        source = host.asSlice(page, bytes);
        runs.forEach(load.fileOf(block), blocks.start(block), blocks.end(block));
        flying.add(new Flight(block, stream.fence(), slot, span));
        return true;
    }

    /// Submits the copies of a part of a block that is larger than its slot; waits for them unless it is the last.
    ///
    /// @param start the part's first byte in the file; its page is at the slot's beginning
    /// @param end the byte after its last one
    /// @param slot taken over with the last part
    /// @param span that of the block's copy; finished when all of it has arrived
    /// @return false if the load was stopped before
    boolean sendPart(int block, long start, long end, StagingBuffer slot, Span span) {
        target = load.bufferOf(block);
        if (target == null) {
            return false;
        }
        packed = false;
        source = slot.segment().asSlice(0, end - Pages.floor(start));
        runs.forEach(load.fileOf(block), start, end);
        if (end < load.blocks().end(block)) {
            stream.synchronize();
        } else {
            flying.add(new Flight(block, stream.fence(), slot, span));
        }
        return true;
    }

    /// Submits what a block of de-quantised tensors is made of.
    ///
    /// @param slot holds what was read; taken over if the block was sent
    /// @param span that of the copy; finished when it has arrived
    /// @return false if the load was stopped before
    boolean send(int block, DeviceProducts products, StagingBuffer slot, Span span) {
        DeviceBuffer buffer = load.bufferOf(block);
        if (buffer == null) {
            return false;
        }
        products.send(slot.segment(), stream, backend.kernels(), scratch(), buffer);
        flying.add(new Flight(block, stream.fence(), slot, span));
        return true;
    }

    @Override
    public void copy(long from, long bytes, long targetOffset) {
        stream.copyToDevice(source.asSlice(from, bytes), target(), targetOffset);
    }

    @Override
    public void convert(long from, long bytes, DType fromType, long targetOffset, DType to, long elements) {
        DeviceBuffer between = scratch();
        stream.copyToDevice(source.asSlice(from, bytes), between, 0);
        backend.kernels().convert(stream, new BufferSlice(between, 0, bytes), fromType,
                new BufferSlice(target(), targetOffset, to.byteSize(elements)), to, elements);
    }

    /// In a slot rows move towards the front, in their order, so none is overwritten before it was moved.
    @Override
    public void gather(long from, BlockRuns.Rows rows, DType fromType, long targetOffset, DType to) {
        long bytes = rows.count() * rows.bytes();
        long elements = bytes * 8 / fromType.bits();
        if (slots) {
            for (long row = 1; row < rows.count() && !packed; row++) {
                MemorySegment.copy(source, from + row * rows.stride(), source, from + row * rows.bytes(), rows.bytes());
            }
            if (fromType == to) {
                copy(from, bytes, targetOffset);
            } else {
                convert(from, bytes, fromType, targetOffset, to, elements);
            }
            return;
        }
        DeviceBuffer between = scratch();
        stream.copyToDevice(source.asSlice(from, rows.span()), between, 0);
        backend.kernels().gather(stream, new BufferSlice(between, 0, rows.span()), fromType, rows.view(fromType),
                new BufferSlice(target(), targetOffset, to.byteSize(elements)), to);
    }

    /// Allocated by the first block that needs it, out of the load's grant, which was counted with it.
    private DeviceBuffer scratch() {
        LoadMemory.Scratch mine = scratch;
        if (mine == null) {
            mine = load.memory().allocateScratch(load.plan().slotBytes(), backend.hints().tensorAlignment());
            scratch = mine;
        }
        return mine.buffer();
    }

    private DeviceBuffer target() {
        if (target == null) {
            throw new AssertionError("a run without a buffer");
        }
        return target;
    }

    /// Waits until nothing is under way, then gives back stream, memory, fences and slots. Blocks that are still under
    /// way do not count as arrived: whether their copies succeeded is unknown. The scratch memory is freed after the
    /// stream is idle, since kernels read it.
    ///
    /// @return whether nothing is under way any more: false where the device could not even say so; a slot that a copy may
    ///         still read is not given to another reader then
    boolean close(Releases releases) {
        boolean idle = load.slots().giveStream(stream, releases);
        LoadMemory.Scratch mine = scratch;
        if (mine != null) {
            releases.run(mine::close);
        }
        while (!flying.isEmpty()) {
            release(flying.remove(), idle, releases);
        }
        return idle;
    }

    /// @param idle whether the slot may be filled again
    private void release(Flight flight, boolean idle, Releases releases) {
        releases.run(flight.fence()::close);
        StagingBuffer slot = flight.slot();
        if (slot != null) {
            releases.run(() -> load.slots().give(slot, idle));
        }
    }
}
