package io.fastsafetensors.core.transfer;

import io.fastsafetensors.core.jfr.Recorder;
import io.fastsafetensors.core.jfr.Recorder.Span;
import io.fastsafetensors.core.plan.BlockTable;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.storage.CacheResidency;

/// Brings the pages of blocks into memory where their file is mapped as the buffer: nothing is copied.
///
/// By one thread where a drive is waited for, by several where the page cache has all pages; see [Readers].
final class MappedInPlaceTransfer implements BlockTransfer {
    private final LoadContext load;

    MappedInPlaceTransfer(LoadContext load) {
        this.load = load;
    }

    /// What the page cache had already is asked for beforehand, for the statistics only.
    @Override
    public void transfer(int index) {
        DeviceBuffer buffer = load.bufferOf(index);
        if (buffer == null) {
            return;
        }
        BlockTable blocks = load.blocks();
        int file = blocks.file(index);
        long start = blocks.start(index);
        long end = blocks.end(index);
        // This also holds the file open, so that its identity can be asked for.
        CacheResidency residency = load.files().residencyForBlock(file);
        Span read = Recorder.read(load.fileOf(index).location(), start, end - start);
        long before = System.nanoTime();
        long held = residency == null ? 0 : Math.max(0, residency.cachedBytes(start, end - start));
        ((MappedBuffer) buffer).populate(start, end, load.stopped());
        load.files().populated(held, end - start, System.nanoTime() - before);
        read.finish("map");
        load.arrived(index);
    }

    @Override
    public void finish() {
        // Every block was in place when the transfer returned.
    }

    @Override
    public void close() {
        // Nothing was taken.
    }
}
