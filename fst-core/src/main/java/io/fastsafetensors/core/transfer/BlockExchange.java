package io.fastsafetensors.core.transfer;

import io.fastsafetensors.spi.DeviceBuffer;
import org.jspecify.annotations.Nullable;

/// Exchanges blocks with the loads of other ranks that have the same plan: each rank reads some of the blocks, and all
/// get all. The readers of a load report which have been read; the exchange runs on a thread of the load's own.
///
/// A load that has one calls [#run(Load)] once unless its plan has no block, and [#close()] once in any case.
///
/// The exchange is collective: a rank that does not take part any more says so by [#failed], or the others would wait
/// for it until their timeout.
public interface BlockExchange extends AutoCloseable {
    /// The blocks that this rank reads, in the order in which it reads them.
    int[] reads();

    /// A block that this rank reads is in place here. Called by readers.
    ///
    /// Does not block: an exchange that is slow holds back no read.
    void arrived(int block);

    /// The load has failed or is cancelled: nothing more is read. From any thread; the first reason stays.
    void failed(RuntimeException why);

    /// The load does not begin: nothing is exchanged, and nobody is told.
    void abandon();

    /// Exchanges until every rank has every block, or one has told why that will not be.
    ///
    /// @throws RuntimeException what failed on another rank or between them
    void run(Load load);

    /// Bytes that came from other ranks so far.
    long bytesReceived();

    /// The load has ended on this rank, begun or not. Idempotent.
    @Override
    void close();

    /// The load of this rank.
    interface Load {
        /// Where a block goes; waits until it is allocated. Null if the load was stopped before.
        @Nullable
        DeviceBuffer bufferOf(int block);

        /// A block is in place, wherever it was read.
        void arrived(int block);
    }
}
