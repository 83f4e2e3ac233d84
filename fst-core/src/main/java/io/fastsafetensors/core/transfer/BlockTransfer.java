package io.fastsafetensors.core.transfer;

import io.fastsafetensors.core.plan.PlannedFile.PlannedPath;

/// Puts the blocks of one transfer path into place, for one reader thread. Used by that thread alone, so that what it holds
/// (a stream, a slot, device memory for one block) needs no lock, and a reader waits for no other's copies.
interface BlockTransfer extends AutoCloseable {
    /// A reader's transfer for a path. It takes streams and device memory now or with its first block.
    ///
    /// The switch is over the plan's enum and runs once for each turn of a reader and path, not for each block. A
    /// reader has one transfer for each path that its blocks take, because a load may have files of several paths.
    static BlockTransfer of(PlannedPath path, LoadContext load) {
        return switch (path) {
            case IN_PLACE, MOVED -> new HostTransfer(load);
            case MAPPED_IN_PLACE -> new MappedInPlaceTransfer(load);
            case STAGED, DEQUANTIZED -> new StagedTransfer(load);
            case MAPPED -> new MappedTransfer(load);
            case DIRECT -> new DirectTransfer(load);
        };
    }

    /// Reads block `index` and sends it to where the plan says. It may still be under way when this returns; the
    /// [LoadContext] is told when it is in place.
    ///
    /// Returns without having sent anything where the load was stopped meanwhile. Whatever it throws fails the load;
    /// the transfer is closed then, and not used again.
    void transfer(int index);

    /// Waits until every block that was sent is in place.
    ///
    /// Not called where the load was stopped.
    void finish();

    /// Waits until nothing is under way any more, successful or not, and gives back what it used.
    ///
    /// Called in any case, after a failure too, and on the reader's thread.
    @Override
    void close();
}
