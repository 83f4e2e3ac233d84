package io.fastsafetensors.backend.cpu.mpi;

import io.fastsafetensors.error.GroupException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.group.transport.ControlPlane;
import io.fastsafetensors.group.transport.Membership;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Small messages from each rank to each, so that who is missing is known: first a head of fixed size, with the message's
/// length and its beginning; then the rest of those that are longer.
final class MpiControl implements ControlPlane {
    private static final int HEAD_TAG = 1;
    private static final int REST_TAG = 2;
    /// Open MPI sends up to 256 bytes without waiting for the receiver.
    private static final int HEAD = 192;
    private static final int LONGEST = 2 << 20;

    private final MpiLink link;
    private final Membership membership;
    private final @Nullable Farewells farewells;

    /// Of a group.
    MpiControl(MpiLink link) {
        this(link, new Farewells(link));
        link.listen(farewells);
    }

    private MpiControl(MpiLink link, @Nullable Farewells farewells) {
        this.link = link;
        this.membership = link.membership();
        this.farewells = farewells;
    }

    /// For one meeting before there is a group.
    static MpiControl withoutFarewells(MpiLink link) {
        return new MpiControl(link, null);
    }

    @Override
    public boolean meetsBeforeData() {
        return true;
    }

    @Override
    public List<byte[]> meet(String what, byte[] message, BitSet with) {
        MemorySegment mine = MpiLink.memory(Math.max(HEAD, Integer.BYTES + message.length));
        mine.set(ValueLayout.JAVA_INT, 0, message.length);
        MemorySegment.copy(message, 0, mine, ValueLayout.JAVA_BYTE, Integer.BYTES, message.length);
        Map<Integer, MemorySegment> heads = swap(what, mine.asSlice(0, HEAD), HEAD_TAG, with, heads(with));
        Map<Integer, MemorySegment> rests = new HashMap<>();
        heads.forEach((rank, head) -> {
            int rest = length(rank, head) - (HEAD - Integer.BYTES);
            if (rest > 0) {
                rests.put(rank, MpiLink.memory(rest));
            }
        });
        swap(what, mine.asSlice(HEAD), REST_TAG, with, rests);
        List<byte[]> messages = new ArrayList<>();
        for (int r = 0; r < membership.size(); r++) {
            messages.add(r == membership.rank() ? message.clone() : join(heads.get(r), rests.get(r)));
        }
        return messages;
    }

    private Map<Integer, MemorySegment> heads(BitSet with) {
        Map<Integer, MemorySegment> heads = new HashMap<>();
        with.stream().filter(r -> r != membership.rank()).forEach(r -> heads.put(r, MpiLink.memory(HEAD)));
        return heads;
    }

    /// Sends to all, unless there is nothing, and receives from those that have something.
    private Map<Integer, MemorySegment> swap(String what, MemorySegment mine, int tag, BitSet with,
            Map<Integer, MemorySegment> theirs) {
        Map<Integer, MpiRequest> receiving = new HashMap<>();
        theirs.forEach((rank, memory) -> receiving.put(rank, link.receive(memory, rank, tag)));
        List<MpiRequest> all = new ArrayList<>(receiving.values());
        if (mine.byteSize() > 0) {
            with.stream().filter(r -> r != membership.rank()).forEach(r -> all.add(link.sendOurs(mine, r, tag)));
        }
        link.await(all, Patience.CONTROL, () -> what + ": " + missing(receiving) + " did not come");
        return theirs;
    }

    private static String missing(Map<Integer, MpiRequest> receiving) {
        BitSet missing = new BitSet();
        receiving.forEach((rank, request) -> missing.set(rank, !request.hasEnded()));
        return missing.isEmpty() ? "a rank" : Membership.names(missing);
    }

    private static int length(int rank, MemorySegment head) {
        int length = head.get(ValueLayout.JAVA_INT, 0);
        if (length < 0 || length > LONGEST) {
            throw new GroupException("rank " + rank + " sent what is no message: does it run another version of fst?",
                    Where.nowhere());
        }
        return length;
    }

    private static byte[] join(@Nullable MemorySegment head, @Nullable MemorySegment rest) {
        if (head == null) {
            return new byte[0];
        }
        byte[] message = new byte[head.get(ValueLayout.JAVA_INT, 0)];
        int first = Math.min(message.length, HEAD - Integer.BYTES);
        MemorySegment.copy(head, ValueLayout.JAVA_BYTE, Integer.BYTES, message, 0, first);
        if (rest != null) {
            MemorySegment.copy(rest, ValueLayout.JAVA_BYTE, 0, message, first, message.length - first);
        }
        return message;
    }

    @Override
    public void farewell(String reason) {
        if (farewells != null) {
            farewells.say(reason);
        }
    }
}
