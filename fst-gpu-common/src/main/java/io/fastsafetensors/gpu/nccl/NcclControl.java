package io.fastsafetensors.gpu.nccl;

import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.group.transport.ControlPlane;
import io.fastsafetensors.gpu.nccl.ffm.Nccl;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;

/// Small messages by the library itself, as two all-gathers: the lengths, then the messages, filled up to the longest.
/// Does not know who is missing.
final class NcclControl implements ControlPlane {
    private final Nccl nccl;
    private final NcclComm comm;
    private final int size;

    NcclControl(Nccl nccl, NcclComm comm) {
        this.nccl = nccl;
        this.comm = comm;
        this.size = comm.membership().size();
    }

    /// A meeting costs two transfers to and from the device.
    @Override
    public boolean meetsBeforeData() {
        return false;
    }

    /// Ranks that meet in pairs are not served, and not asked for: they do not meet before data.
    @Override
    public List<byte[]> meet(String what, byte[] message, BitSet with) {
        byte[] lengths = gather(what, ByteBuffer.allocate(Integer.BYTES).putInt(message.length).array());
        int[] each = new int[size];
        int longest = 0;
        for (int r = 0; r < size; r++) {
            each[r] = ByteBuffer.wrap(lengths).getInt(r * Integer.BYTES);
            longest = Math.max(longest, each[r]);
        }
        byte[] all = longest == 0 ? new byte[0] : gather(what, Arrays.copyOf(message, longest));
        List<byte[]> messages = new ArrayList<>();
        for (int r = 0; r < size; r++) {
            messages.add(Arrays.copyOfRange(all, r * longest, r * longest + each[r]));
        }
        return messages;
    }

    private byte[] gather(String what, byte[] mine) {
        long bytes = mine.length;
        try (Arena arena = Arena.ofConfined();
                DeviceBuffer buffer = comm.device().backend().allocate(bytes * size, 256)) {
            BufferSlice place = new BufferSlice(buffer, bytes * comm.membership().rank(), bytes);
            MemorySegment host = arena.allocate(bytes * size);
            MemorySegment.copy(mine, 0, host, ValueLayout.JAVA_BYTE, 0, mine.length);
            comm.stream().copyToDevice(host.asSlice(0, bytes), buffer, place.offset());
            comm.stream().synchronize();
            long address = buffer.handle().value();
            comm.call("ncclAllGather",
                    (c, s) -> nccl.ncclAllGather(address + place.offset(), address, bytes, c, s));
            comm.finish(what);
            comm.stream().copyToHost(buffer, 0, host);
            comm.stream().synchronize();
            return host.toArray(ValueLayout.JAVA_BYTE);
        }
    }

    /// The others learn of it when the communicator is aborted or finalized.
    @Override
    public void farewell(String reason) {
        // The library has no message that does not wait for its receiver.
    }
}
