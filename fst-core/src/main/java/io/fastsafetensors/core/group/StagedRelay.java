package io.fastsafetensors.core.group;

import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.BitSet;

/// Brings memory that the host cannot address from one rank to others: step by step through two host buffers of the
/// sender, one being filled while the receivers empty the other. Used once.
final class StagedRelay {
    /// Bytes of a step: as large as a block of most devices, so that one block is one step.
    static final long STEP = 4 << 20;
    /// Of the host buffers.
    static final long ALIGNMENT = 4096;

    private final long[] taken;
    private long filled;

    /// @param receivers which ranks receive
    StagedRelay(BitSet receivers) {
        taken = new long[receivers.length()];
        Arrays.setAll(taken, r -> receivers.get(r) ? 0 : Long.MAX_VALUE);
    }

    /// The sender's side; returns when every receiver has everything, since the buffers serve the next relay too.
    void send(LocalRanks ranks, int rank, BufferSlice source, CopyStream stream) {
        MemorySegment[] buffers = ranks.staging(rank);
        for (long step = 0; step * STEP < source.byteSize(); step++) {
            awaitTaken(ranks, rank, step - 1);
            long at = step * STEP;
            MemorySegment part = buffers[(int) (step & 1)].asSlice(0, Math.min(STEP, source.byteSize() - at));
            stream.copyToHost(source.buffer(), source.offset() + at, part);
            stream.synchronize();
            ranks.changed(() -> filled++);
        }
        awaitTaken(ranks, rank, filled);
    }

    private void awaitTaken(LocalRanks ranks, int rank, long steps) {
        ranks.await(() -> Arrays.stream(taken).allMatch(mine -> mine >= steps),
                () -> "not every rank took its bytes from rank " + rank);
    }

    /// A receiver's side; returns when everything has arrived.
    void receive(LocalRanks ranks, int sender, int rank, BufferSlice target, CopyStream stream) {
        MemorySegment[] buffers = ranks.staging(sender);
        for (long step = 0; step * STEP < target.byteSize(); step++) {
            long mine = step;
            ranks.await(() -> filled > mine, () -> "rank " + sender + " did not send to rank " + rank);
            long at = step * STEP;
            BufferSlice part = target.part(at, Math.min(STEP, target.byteSize() - at));
            SharedSlice.put(buffers[(int) (step & 1)].asSlice(0, part.byteSize()), part, stream);
            stream.synchronize();
            ranks.changed(() -> taken[rank]++);
        }
    }
}
