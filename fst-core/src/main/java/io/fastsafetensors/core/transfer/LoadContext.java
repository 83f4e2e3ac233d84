package io.fastsafetensors.core.transfer;

import io.fastsafetensors.core.memory.LoadMemory;
import io.fastsafetensors.core.memory.SharedBackend;
import io.fastsafetensors.core.plan.BlockTable;
import io.fastsafetensors.core.plan.PlannedFile;
import io.fastsafetensors.core.plan.ReadPlan;
import io.fastsafetensors.spi.DeviceBuffer;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.BooleanSupplier;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;

/// The state shared by all readers of a load.
///
/// Immutable itself; what it refers to is thread-safe, except for the [BlockListener], which says how it is called.
///
/// @param plan what to do
/// @param places the buffers of the files
/// @param files the open files
/// @param routing the mappings of files that are mapped
/// @param backend the device; held while the load runs
/// @param memory what readers may allocate on the device
/// @param pool slots and streams, null if the host can address the device's memory
/// @param blocksInFlight how many blocks of a reader may be under way, the one being read included
/// @param tap sees what was read
/// @param placeNanos time spent moving blocks, over all readers
/// @param gathers whether some tensor's bytes are not one run of its file
/// @param stopped whether the load was cancelled or failed
/// @param whenArrived called with the index of each block that is in place
record LoadContext(ReadPlan plan, DeviceBuffers places, OpenFiles files, FileTransfers routing,
        SharedBackend backend, LoadMemory.Grant memory, @Nullable SlotPool pool, int blocksInFlight, BlockListener tap,
        LongAdder placeNanos, boolean gathers, BooleanSupplier stopped, IntConsumer whenArrived) {
    BlockTable blocks() {
        return plan.blocks();
    }

    PlannedFile fileOf(int block) {
        return plan.planned().get(plan.blocks().file(block));
    }

    /// Where a block goes; waits until it is allocated. Null if the load was stopped before.
    @Nullable
    DeviceBuffer bufferOf(int block) {
        return places.get(plan.blocks().file(block), stopped);
    }

    /// A block is in place, by whatever way. Its bytes count only if its file still is the version that it was: what was
    /// read before a write is of that version.
    ///
    /// Called by the reader, once for each block. A failure here fails the load, after the block's memory was filled:
    /// nobody sees a tensor of which a block does not count.
    ///
    /// @throws io.fastsafetensors.error.StorageException saying what changed
    void arrived(int block) {
        files.blockDone(plan.blocks().file(block));
        whenArrived.accept(block);
    }

    /// For transfer paths that stage; there is always a pool where files take them.
    SlotPool slots() {
        if (pool == null) {
            throw new AssertionError("planned for memory that the host can address");
        }
        return pool;
    }
}
