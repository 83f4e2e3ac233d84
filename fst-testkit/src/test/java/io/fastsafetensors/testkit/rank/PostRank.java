package io.fastsafetensors.testkit.rank;

import io.fastsafetensors.group.RankSlice;
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
class PostRank extends PairwiseMover implements ControlPlane {
    private static final int STEP = 1 << 20;

    final GroupState state = new GroupState();
    final Post post;
    /// Data has a way of its own, so that it is not taken for what ranks tell each other.
    final Post data;

    PostRank(Post post, Post data, Membership membership) {
        super(membership);
        this.post = post;
        this.data = data;
    }

    @Override
    public List<byte[]> meet(String what, byte[] message, BitSet with) {
        with.stream().forEach(other -> post.put(membership().rank(), other, message));
        post.await(membership(), state, what, with);
        List<byte[]> all = new ArrayList<>();
        for (int other = 0; other < membership().size(); other++) {
            all.add(with.get(other) ? post.take(membership(), state, what, other) : new byte[0]);
        }
        return all;
    }

    @Override
    public boolean meetsBeforeData() {
        return true;
    }

    @Override
    public void farewell(String reason) {
        post.leave(membership().rank(), reason);
        data.leave(membership().rank(), reason);
    }

    @Override
    public void send(BufferSlice slice, int to, CopyStream stream) {
        for (long at = 0; at < slice.byteSize(); at += STEP) {
            byte[] bytes = new byte[(int) Math.min(STEP, slice.byteSize() - at)];
            stream.copyToHost(slice.buffer(), slice.offset() + at, MemorySegment.ofArray(bytes));
            stream.synchronize();
            data.put(membership().rank(), to, bytes);
        }
    }

    @Override
    public void receive(BufferSlice slice, int from, CopyStream stream) {
        for (long at = 0; at < slice.byteSize(); at += STEP) {
            byte[] bytes = data.take(membership(), state, "receiving " + slice.byteSize() + " bytes", from);
            stream.copyToDevice(MemorySegment.ofArray(bytes), slice.buffer(), slice.offset() + at);
        }
        stream.synchronize();
    }

    /// For ranks that do it late.
    void late(BufferSlice slice, int from) {
        throw new UnsupportedOperationException(slice + " from " + from);
    }

    /// For ranks that do it late.
    void late(RankSlice piece) {
        throw new UnsupportedOperationException(piece.toString());
    }

    @Override
    public void close(boolean whole) {
        // The post is garbage when the last rank has gone.
    }
}
