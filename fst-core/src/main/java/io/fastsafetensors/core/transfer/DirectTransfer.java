package io.fastsafetensors.core.transfer;

import io.fastsafetensors.core.jfr.Recorder;
import io.fastsafetensors.core.jfr.Recorder.Span;
import io.fastsafetensors.core.memory.LoadMemory;
import io.fastsafetensors.core.plan.BlockTable;
import io.fastsafetensors.core.plan.Pages;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.types.DType;
import org.jspecify.annotations.Nullable;

/// Reads whole pages of files straight into device memory, then copies or converts each part to its aligned place
/// there, which costs little compared with the read and keeps the odd ends of tensors off the host.
///
/// Takes its stream and its device memory when it is made, so that a reader without either fails before it reads. Each
/// block is waited for, because the next one is read into the same memory; several readers keep the link busy.
///
/// Direct storage wants offsets of the file and of the memory aligned, while tensors begin anywhere: hence whole
/// pages into memory of the reader's own, and a copy within the device. It is the only path on which the host sees no
/// byte, so digests of converted tensors cannot be checked on it.
final class DirectTransfer implements BlockTransfer, BlockRuns.Sink {
    private final LoadContext load;
    private final Backend backend;
    private final LoadMemory.Scratch scratch;
    /// The memory of [#scratch]: whole pages of the file around the block at hand.
    private final DeviceBuffer pages;
    private final CopyStream stream;
    private final BlockRuns runs = new BlockRuns(this);
    /// Where the runs of the block at hand go.
    private @Nullable DeviceBuffer target;

    DirectTransfer(LoadContext load) {
        this.load = load;
        this.backend = load.backend().get();
        this.stream = load.slots().takeStream();
        try {
            this.scratch = load.memory().allocateScratch(load.plan().slotBytes(), Pages.SIZE);
            this.pages = scratch.buffer();
        } catch (RuntimeException | Error e) {
            Releases releases = new Releases();
            load.slots().giveStream(stream, releases);
            releases.because(e);
            throw e;
        }
    }

    /// The last page of a file may be cut, so a read is short there; only one that ends before the block does is a
    /// failure.
    @Override
    public void transfer(int index) {
        BlockTable blocks = load.blocks();
        int file = blocks.file(index);
        long from = Pages.floor(blocks.start(index));
        long to = Math.min(Pages.ceil(blocks.end(index)), load.fileOf(index).fileLength());
        Span read = Recorder.read(load.fileOf(index).location(), from, to - from);
        long before = System.nanoTime();
        long got = load.files().directForBlock(file).read(from, pages, 0, to - from);
        if (from + got < blocks.end(index)) {
            throw new StorageException("the file ended " + (blocks.end(index) - from - got)
                    + " bytes early: it shrank while it was being read",
                    load.fileOf(index).location().where().withOffset(from + got));
        }
        read.finish("direct storage");
        load.files().readDirectly(got, System.nanoTime() - before);
        target = load.bufferOf(index);
        if (target == null) {
            return;
        }
        runs.forEach(load.fileOf(index), blocks.start(index), blocks.end(index));
        try (Fence fence = stream.fence()) {
            fence.await();
        }
        load.arrived(index);
    }

    @Override
    public void copy(long source, long bytes, long targetOffset) {
        stream.copy(pages, source, target(), targetOffset, bytes);
    }

    @Override
    public void convert(long source, long bytes, DType from, long targetOffset, DType to, long elements) {
        backend.kernels().convert(stream, new BufferSlice(pages, source, bytes), from,
                new BufferSlice(target(), targetOffset, to.byteSize(elements)), to, elements);
    }

    @Override
    public void gather(long source, BlockRuns.Rows rows, DType from, long targetOffset, DType to) {
        long elements = rows.count() * rows.bytes() * 8 / from.bits();
        backend.kernels().gather(stream, new BufferSlice(pages, source, rows.span()), from, rows.view(from),
                new BufferSlice(target(), targetOffset, to.byteSize(elements)), to);
    }

    private DeviceBuffer target() {
        if (target == null) {
            throw new AssertionError("a run without a buffer");
        }
        return target;
    }

    @Override
    public void finish() {
        // Every block was in place when the transfer returned.
    }

    /// The stream is waited for first: a copy under way reads the pages.
    @Override
    public void close() {
        Releases releases = new Releases();
        load.slots().giveStream(stream, releases);
        releases.run(scratch::close).finish();
    }
}
