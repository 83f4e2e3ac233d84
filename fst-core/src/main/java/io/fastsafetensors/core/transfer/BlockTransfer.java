package io.fastsafetensors.core.transfer;

import io.fastsafetensors.core.plan.PlannedFile.PlannedPath;

/// Puts the blocks of one transfer path into place, for one reader thread. Used by that thread alone, so that what it holds
/// (a stream, a slot, device memory for one block) needs no lock, and a reader waits for no other's copies.
interface BlockTransfer extends AutoCloseable {
    /// A reader's transfer for a path. It takes streams and device memory now or with its first block.
    static BlockTransfer of(PlannedPath path, LoadContext load) {
        return switch (path) {
            case IN_PLACE, MOVED -> new HostTransfer(load);
            case STAGED, DEQUANTIZED -> new StagedTransfer(load);
            case MAPPED -> new MappedTransfer(load);
            case DIRECT -> new DirectTransfer(load);
        };
    }

    /// Reads block `index` and sends it to where the plan says. It may still be under way when this returns; the
    /// [LoadContext] is told when it is in place.
    void transfer(int index);

    /// Waits until every block that was sent is in place.
    void finish();

    /// Waits until nothing is under way any more, successful or not, and gives back what it used.
    @Override
    void close();
}
