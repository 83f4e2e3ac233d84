package acme.board;

import io.fastsafetensors.group.transport.ControlPlane;
import io.fastsafetensors.group.transport.GroupState;
import io.fastsafetensors.group.transport.Membership;
import io.fastsafetensors.group.transport.PairwiseMover;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;

/// One rank: what it tells the others, and how it moves memory.
final class BoardRank extends PairwiseMover implements ControlPlane {
    private static final int STEP = 1 << 20;

    final GroupState state = new GroupState();
    private final Board board;

    BoardRank(Board board, Membership membership) {
        super(membership);
        this.board = board;
    }

    @Override
    public List<byte[]> meet(String what, byte[] message, BitSet with) {
        with.stream().forEach(other -> board.put(membership().rank(), other, message));
        board.await(this, what, with);
        List<byte[]> all = new ArrayList<>();
        for (int other = 0; other < membership().size(); other++) {
            all.add(with.get(other) ? board.take(this, what, other) : new byte[0]);
        }
        return all;
    }

    @Override
    public boolean meetsBeforeData() {
        return true;
    }

    @Override
    public void farewell(String reason) {
        board.leave(membership().rank(), reason);
    }

    @Override
    public void send(BufferSlice slice, int to, CopyStream stream) {
        for (long at = 0; at < slice.byteSize(); at += STEP) {
            byte[] bytes = new byte[(int) Math.min(STEP, slice.byteSize() - at)];
            stream.copyToHost(slice.buffer(), slice.offset() + at, MemorySegment.ofArray(bytes));
            stream.synchronize();
            board.put(membership().rank(), to, bytes);
        }
    }

    @Override
    public void receive(BufferSlice slice, int from, CopyStream stream) {
        for (long at = 0; at < slice.byteSize(); at += STEP) {
            byte[] bytes = board.take(this, "receiving " + slice.byteSize() + " bytes", from);
            stream.copyToDevice(MemorySegment.ofArray(bytes), slice.buffer(), slice.offset() + at);
        }
        stream.synchronize();
    }

    @Override
    public void close(boolean whole) {
        // The board is garbage when the last rank has gone.
    }
}
