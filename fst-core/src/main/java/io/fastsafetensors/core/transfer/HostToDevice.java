package io.fastsafetensors.core.transfer;

import io.fastsafetensors.core.memory.LoadMemory;
import io.fastsafetensors.core.plan.BlockTable;
import io.fastsafetensors.core.plan.Pages;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.types.DType;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/// Copies blocks from page-locked host memory to their places on the device. What changes its dtype goes through device
/// memory of one block's size, so that the unconverted tensor never exists there as a whole. Rows are gathered in the
/// slot, so that only what is wanted crosses the link; those of a mapping, which is read-only, on the device.
///
/// The host memory must stay as it is until the fence of the block has passed: copies are asynchronous. Kernels and
/// copies of all blocks of a reader are on one stream, so they are done in the order in which they were submitted,
/// and memory that they share needs no fence between them.
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
    }

    /// Submits the copies of a block.
    ///
    /// Waits until the file's buffer is allocated, for as long as the load is not stopped.
    ///
    /// @param host memory that stays as it is until the fence has passed
    /// @param page where in it the page of the block's first byte begins
    /// @param rowsPacked whether rows lie behind one another already, as [RunReader] reads them
    /// @return passes when the block is in place; the caller closes it. Null if the load was stopped before
    @Nullable
    Fence send(int block, MemorySegment host, long page, boolean rowsPacked) {
        BlockTable blocks = load.blocks();
        target = load.bufferOf(block);
        if (target == null) {
            return null;
        }
        long bytes = blocks.end(block) - Pages.floor(blocks.start(block));
        packed = rowsPacked;
        source = host.asSlice(page, bytes);
        runs.forEach(load.fileOf(block), blocks.start(block), blocks.end(block));
        return stream.fence();
    }

    /// Submits what a block is made of.
    ///
    /// @param host holds what was read; stays as it is until the fence has passed
    /// @return passes when the block is in place; the caller closes it. Null if the load was stopped before
    @Nullable
    Fence send(int block, DeviceProducts products, MemorySegment host) {
        DeviceBuffer buffer = load.bufferOf(block);
        if (buffer == null) {
            return null;
        }
        products.send(host, stream, backend.kernels(), scratch(), buffer);
        return stream.fence();
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

    /// Waits until nothing is under way, then gives the stream back.
    ///
    /// The scratch memory is freed after the stream is idle, since kernels read it.
    ///
    /// @return whether nothing is under way any more: false where the device could not even say so
    boolean close(Releases releases) {
        boolean idle = load.slots().giveStream(stream, releases);
        LoadMemory.Scratch mine = scratch;
        if (mine != null) {
            releases.run(mine::close);
        }
        return idle;
    }
}
