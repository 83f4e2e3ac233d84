package io.fastsafetensors.core.group;

import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import java.lang.foreign.MemorySegment;
import java.util.BitSet;

/// Memory that a rank offers to others: read where it is if the host can address it, else brought to them by a relay.
///
/// @param owner whose it is
/// @param slice the memory
/// @param isNear whether the host can address it
/// @param relay the other way
record SharedSlice(int owner, BufferSlice slice, boolean isNear, StagedRelay relay) {
    /// @param receivers which ranks take it
    static SharedSlice of(int owner, BufferSlice slice, BitSet receivers) {
        return new SharedSlice(owner, slice, slice.buffer().segment().isPresent(), new StagedRelay(receivers));
    }

    /// The owner's part: nothing where the others help themselves.
    void serve(LocalRanks ranks, CopyStream stream) {
        if (!isNear) {
            relay.send(ranks, owner, slice, stream);
        }
    }

    /// A receiver's part; the bytes are there when this returns.
    void take(LocalRanks ranks, int rank, BufferSlice target, CopyStream stream) {
        if (!isNear) {
            relay.receive(ranks, owner, rank, target, stream);
            return;
        }
        // An owner that failed elsewhere may have closed its buffer: it is asked for its segment while it cannot.
        ranks.reading(owner, () -> {
            MemorySegment near = slice.buffer().segment().orElseThrow();
            put(near.asSlice(slice.offset(), slice.byteSize()), target, stream);
            stream.synchronize();
        });
    }

    /// Copies host memory into memory of whatever device.
    static void put(MemorySegment source, BufferSlice target, CopyStream stream) {
        MemorySegment near = target.buffer().segment().orElse(null);
        if (near != null) {
            MemorySegment.copy(source, 0, near, target.offset(), target.byteSize());
        } else {
            stream.copyToDevice(source, target.buffer(), target.offset());
        }
    }
}
