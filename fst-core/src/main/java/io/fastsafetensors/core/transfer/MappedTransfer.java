package io.fastsafetensors.core.transfer;

import io.fastsafetensors.core.jfr.Recorder;
import io.fastsafetensors.core.jfr.Recorder.Span;
import io.fastsafetensors.core.plan.BlockTable;
import io.fastsafetensors.core.plan.Pages;
import io.fastsafetensors.spi.Releases;
import java.lang.foreign.MemorySegment;

/// Copies blocks out of registered mappings: the host only submits.
///
/// The first block of a file registers it, which reads it as a whole; all later ones only submit copies out of the
/// page cache. No slot is used, so nothing bounds the copies but [#IN_FLIGHT].
final class MappedTransfer implements BlockTransfer {
    /// Few threads submit much: enough under way that the device never waits for one of them.
    static final int IN_FLIGHT = 8;

    private final LoadContext load;
    private final HostToDevice device;

    MappedTransfer(LoadContext load) {
        this.load = load;
        this.device = new HostToDevice(load, false);
    }

    @Override
    public void transfer(int index) {
        device.reduceTo(IN_FLIGHT - 1);
        BlockTable blocks = load.blocks();
        long start = blocks.start(index);
        long bytes = blocks.end(index) - start;
        MemorySegment file = load.files().mapping(blocks.file(index), load.routing());
        load.tap().read(index, file, 0);
        Span copy = Recorder.copy(load.fileOf(index).location(), start, bytes);
        if (device.send(index, file, Pages.floor(start), false, null, copy)) {
            load.files().mapped(bytes);
            device.completeArrived();
        }
    }

    @Override
    public void finish() {
        device.reduceTo(0);
    }

    @Override
    public void close() {
        Releases releases = new Releases();
        device.close(releases);
        releases.finish();
    }
}
