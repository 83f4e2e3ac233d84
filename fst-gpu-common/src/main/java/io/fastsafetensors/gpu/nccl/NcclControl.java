package io.fastsafetensors.gpu.nccl;

import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.StagingBuffer;
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
import org.jspecify.annotations.Nullable;

/// Small messages by the library itself: one all-gather of frames of one size, with each message's length and beginning; and
/// another one for what is longer. Does not know who is missing.
final class NcclControl implements ControlPlane {
    /// Bytes of a frame: what ranks tell each other while they load fits.
    private static final int FRAME = 1024;
    private static final byte[] NOTHING = {};
    private static final int HEAD = FRAME - Integer.BYTES;
    private static final int ALIGNMENT = 256;

    private final Nccl nccl;
    private final NcclComm comm;
    private final int size;
    private @Nullable StagingBuffer frame;
    private @Nullable DeviceBuffer frames;

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
        ByteBuffer mine = ByteBuffer.allocate(FRAME).putInt(message.length);
        mine.put(message, 0, Math.min(HEAD, message.length));
        ByteBuffer all = ByteBuffer.wrap(gatherFrames(what, mine.array()));
        int[] each = new int[size];
        int longest = 0;
        for (int r = 0; r < size; r++) {
            each[r] = all.getInt(r * FRAME);
            longest = Math.max(longest, each[r] - HEAD);
        }
        byte[] rests = longest <= 0 ? NOTHING : gather(what,
                Arrays.copyOfRange(message, Math.min(HEAD, message.length), Math.min(HEAD, message.length) + longest));
        List<byte[]> messages = new ArrayList<>();
        for (int r = 0; r < size; r++) {
            byte[] one = new byte[each[r]];
            int head = Math.min(HEAD, one.length);
            all.get(r * FRAME + Integer.BYTES, one, 0, head);
            System.arraycopy(rests, r * Math.max(0, longest), one, head, one.length - head);
            messages.add(one);
        }
        return messages;
    }

    /// Memory of the frames stays for the next time, and goes with the device.
    private byte[] gatherFrames(String what, byte[] mine) {
        StagingBuffer host = frame == null ? comm.device().backend().allocateStaging((long) FRAME * size) : frame;
        frame = host;
        DeviceBuffer device =
                frames == null ? comm.device().backend().allocate((long) FRAME * size, ALIGNMENT) : frames;
        frames = device;
        return gather(what, mine, host.segment(), device);
    }

    private byte[] gather(String what, byte[] mine) {
        long all = (long) mine.length * size;
        try (Arena arena = Arena.ofConfined(); DeviceBuffer device = comm.device().backend().allocate(all, ALIGNMENT)) {
            return gather(what, mine, arena.allocate(all), device);
        }
    }

    private byte[] gather(String what, byte[] mine, MemorySegment host, DeviceBuffer device) {
        long bytes = mine.length;
        long place = bytes * comm.membership().rank();
        MemorySegment.copy(mine, 0, host, ValueLayout.JAVA_BYTE, 0, mine.length);
        comm.stream().copyToDevice(host.asSlice(0, bytes), device, place);
        long address = device.handle().value();
        comm.call("ncclAllGather", (c, s) -> nccl.ncclAllGather(address + place, address, bytes, c, s));
        comm.finish(what);
        comm.stream().copyToHost(device, 0, host);
        comm.stream().synchronize();
        return host.toArray(ValueLayout.JAVA_BYTE);
    }

    /// The others learn of it when the communicator is aborted or finalized.
    @Override
    public void farewell(String reason) {
        // The library has no message that does not wait for its receiver.
    }
}
