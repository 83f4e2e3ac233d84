package io.fastsafetensors.core.group;

import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.BitSet;

/// Memory that a rank offers to others for one operation. Where the host can address it, the others read it where it is.
/// Otherwise the owner brings it to them step by step through two host buffers of its own, one being filled while the
/// receivers empty the other.
///
/// Counters are read and written under the monitor of [LocalRanks]; everything else is immutable. Used once.
///
/// Two buffers, so that the owner's copy out of its device and the receivers' copies into theirs overlap; each step
/// waits for the slowest receiver of the step before the last.
final class SharedSlice {
    /// Bytes of a step: as large as a block of most devices, so that one block is one step.
    static final long STEP = 4 << 20;
    /// Of the host buffers.
    static final long ALIGNMENT = 4096;

    private final int owner;
    private final BufferSlice slice;
    private final boolean near;
    /// The steps that each rank has taken; those that receive nothing are never waited for.
    private final long[] taken;
    private long filled;

    /// @param owner whose it is
    /// @param slice the memory
    /// @param receivers which ranks take it
    SharedSlice(int owner, BufferSlice slice, BitSet receivers) {
        this.owner = owner;
        this.slice = slice;
        this.near = slice.buffer().segment().isPresent();
        this.taken = new long[receivers.length()];
        for (int rank = 0; rank < taken.length; rank++) {
            taken[rank] = receivers.get(rank) ? 0 : Long.MAX_VALUE;
        }
    }

    int owner() {
        return owner;
    }

    long byteSize() {
        return slice.byteSize();
    }

    /// The owner's part: nothing where the others help themselves. Otherwise returns when every receiver has everything,
    /// since the buffers serve the owner's next slice too.
    void serve(LocalRanks ranks, CopyStream stream) {
        if (near) {
            return;
        }
        MemorySegment[] buffers = ranks.staging(owner);
        for (long step = 0; step * STEP < slice.byteSize(); step++) {
            awaitTaken(ranks, step - 1);
            long at = step * STEP;
            MemorySegment part = buffers[(int) (step & 1)].asSlice(0, Math.min(STEP, slice.byteSize() - at));
            stream.copyToHost(slice.buffer(), slice.offset() + at, part);
            stream.synchronize();
            ranks.changed(() -> filled++);
        }
        awaitTaken(ranks, filled);
    }

    private void awaitTaken(LocalRanks ranks, long steps) {
        ranks.await(() -> Arrays.stream(taken).allMatch(mine -> mine >= steps),
                () -> "not every rank took its bytes from rank " + owner);
    }

    /// A receiver's part; the bytes are there when this returns.
    ///
    /// @param stream the receiver's own
    /// @throws io.fastsafetensors.error.GroupException if the group breaks meanwhile
    void take(LocalRanks ranks, int rank, BufferSlice target, CopyStream stream) {
        if (near) {
            // An owner that failed elsewhere may have closed its buffer: it is asked for its segment while it cannot.
            ranks.reading(owner, () -> {
                MemorySegment source = slice.buffer().segment().orElseThrow();
                put(source.asSlice(slice.offset(), slice.byteSize()), target, stream);
                stream.synchronize();
            });
            return;
        }
        MemorySegment[] buffers = ranks.staging(owner);
        for (long step = 0; step * STEP < target.byteSize(); step++) {
            long mine = step;
            ranks.await(() -> filled > mine, () -> "rank " + owner + " did not send to rank " + rank);
            long at = step * STEP;
            BufferSlice part = target.part(at, Math.min(STEP, target.byteSize() - at));
            put(buffers[(int) (step & 1)].asSlice(0, part.byteSize()), part, stream);
            stream.synchronize();
            ranks.changed(() -> taken[rank]++);
        }
    }

    /// Copies host memory into memory of whatever device.
    private static void put(MemorySegment source, BufferSlice target, CopyStream stream) {
        MemorySegment host = target.buffer().segment().orElse(null);
        if (host != null) {
            MemorySegment.copy(source, 0, host, target.offset(), target.byteSize());
        } else {
            stream.copyToDevice(source, target.buffer(), target.offset());
        }
    }
}
