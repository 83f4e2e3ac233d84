package io.fastsafetensors.core.transfer;

import io.fastsafetensors.core.jfr.Recorder;
import io.fastsafetensors.core.jfr.Recorder.Span;
import io.fastsafetensors.core.plan.BlockTable;
import io.fastsafetensors.core.plan.Pages;
import io.fastsafetensors.core.plan.PlannedFile.PlannedPath;
import io.fastsafetensors.core.read.BlockReader;
import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.types.Location;
import org.jspecify.annotations.Nullable;

/// Reads blocks into page-locked slots and copies them from there: while one slot flies, the next one is read. Blocks of
/// de-quantised tensors are read, where that can be, as what they are made of.
///
/// A slot belongs to exactly one of: the pool, this reader while it is being filled, or a copy under way. Its owner
/// when the load fails gives it back; a slot that nobody gave back would be missing in every later load of the process.
///
/// With two slots or more a reader's read and its copy overlap, so the slower of storage and link decides, not their
/// sum.
final class StagedTransfer implements BlockTransfer {
    private final LoadContext load;
    private final HostToDevice device;
    /// The slot that is read into; null once its copy was submitted, from when on it is with the copies in flight.
    private @Nullable StagingBuffer filling;
    /// Made by the first block of a de-quantised tensor.
    private @Nullable DeviceProducts products;
    /// Made by the first block; reads what is wanted of blocks whose rows are cut.
    private @Nullable RunReader runs;

    StagedTransfer(LoadContext load) {
        this.load = load;
        this.device = new HostToDevice(load, true);
    }

    /// Order: make room among the copies in flight, take a slot, read, submit, look which copies have arrived. A
    /// reader looks at its copies only here, so the last ones are completed by [#finish()].
    @Override
    public void transfer(int index) {
        device.reduceTo(load.blocksInFlight() - 1);
        StagingBuffer slot = slot();
        if (slot == null) {
            return;
        }
        filling = slot;
        BlockTable blocks = load.blocks();
        int file = blocks.file(index);
        long start = blocks.start(index);
        long end = blocks.end(index);
        Location location = load.fileOf(index).location();
        Span read = Recorder.read(location, start, end - start);
        boolean multiplied =
                load.fileOf(index).path() == PlannedPath.DEQUANTIZED && products().read(index, slot.segment());
        BlockReader reader = load.files().forBlock(file);
        if (!multiplied && end - Pages.floor(start) > load.plan().slotBytes()) {
            transferInParts(index, reader, slot, read);
            return;
        }
        boolean packed = !multiplied && runs(reader).read(index, reader, slot.segment());
        if (!multiplied && !packed) {
            reader.read(start, end, slot.segment(), 0);
        }
        read.finish("read");
        if (!multiplied && !packed) {
            load.tap().read(index, slot.segment(), Pages.floor(start));
        }
        Span copy = Recorder.copy(location, start, end - start);
        boolean sent = multiplied ? device.send(index, products(), slot, copy)
                : device.send(index, slot.segment(), 0, packed, slot, copy);
        if (sent) {
            filling = null;
            device.completeArrived();
        }
    }

    /// A block that was to be read as what it is made of, and is larger than a slot: read as what it becomes, a slot at a
    /// time. Each is waited for before the next, which costs little, as hardly any block is one of these.
    private void transferInParts(int index, BlockReader reader, StagingBuffer slot, Span read) {
        long end = load.blocks().end(index);
        Span copy = Recorder.copy(load.fileOf(index).location(), load.blocks().start(index),
                end - load.blocks().start(index));
        boolean sent = true;
        for (long at = load.blocks().start(index); at < end && sent;) {
            long next = Math.min(end, Pages.floor(at) + load.plan().settings().blockBytes());
            reader.read(at, next, slot.segment(), 0);
            if (next == end) {
                read.finish("read");
            }
            sent = device.sendPart(index, at, next, slot, copy);
            at = next;
        }
        if (sent) {
            filling = null;
            device.completeArrived();
        }
    }

    /// Most loads have no quantised tensor.
    private DeviceProducts products() {
        DeviceProducts mine = products;
        if (mine == null) {
            mine = new DeviceProducts(load);
            products = mine;
        }
        return mine;
    }

    private RunReader runs(BlockReader first) {
        RunReader mine = runs == null ? new RunReader(load, first) : runs;
        runs = mine;
        return mine;
    }

    /// A free slot; null if the load was stopped while none was free. Never waits for others while this reader has slots
    /// under way itself.
    private @Nullable StagingBuffer slot() {
        StagingBuffer slot = load.slots().poll();
        while (slot == null && !device.isIdle()) {
            device.completeOldest();
            slot = load.slots().poll();
        }
        return slot != null ? slot : load.slots().take(load.stopped());
    }

    @Override
    public void finish() {
        device.reduceTo(0);
    }

    /// The slot that was being filled goes back too: a read that failed has left nothing under way in it, but the
    /// stream may still read others.
    @Override
    public void close() {
        Releases releases = new Releases();
        boolean idle = device.close(releases);
        StagingBuffer slot = filling;
        if (slot != null) {
            releases.run(() -> load.slots().give(slot, idle));
        }
        releases.finish();
    }
}
