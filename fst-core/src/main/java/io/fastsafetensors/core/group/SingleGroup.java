package io.fastsafetensors.core.group;

import io.fastsafetensors.group.Bootstrap;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.group.transport.Arguments;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import java.time.Duration;
import java.util.List;

/// A group of one rank.
///
/// What it does it does on the caller's stream, as every transport; there is nobody to wait for, so no operation can fail
/// on another rank. Thread-safe.
///
/// So code for several ranks runs with one, without a special case: a scatter or an all-gather is a copy, a broadcast
/// nothing.
final class SingleGroup implements ProcessGroup {
    static final String NAME = "single";

    private volatile boolean closed;

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException("the group of one is closed");
        }
    }

    @Override
    public String transport() {
        return NAME;
    }

    @Override
    public int rank() {
        return 0;
    }

    @Override
    public int size() {
        return 1;
    }

    @Override
    public Duration timeout() {
        return Bootstrap.DEFAULT_TIMEOUT;
    }

    @Override
    public boolean moves(String deviceType) {
        return true;
    }

    @Override
    public void barrier() {
        requireOpen();
    }

    @Override
    public List<byte[]> exchange(byte[] message) {
        requireOpen();
        return List.of(message.clone());
    }

    @Override
    public void broadcast(BufferSlice slice, int root, CopyStream stream) {
        requireOpen();
        Arguments.requireRank(root, 1);
    }

    @Override
    public void scatter(List<BufferSlice> parts, BufferSlice into, int root, CopyStream stream) {
        requireOpen();
        Arguments.requireRank(root, 1);
        Arguments.requireParts(parts, 1);
        Arguments.requireSize(parts.getFirst().byteSize(), into);
        copy(parts.getFirst(), into, stream);
    }

    @Override
    public void allGather(BufferSlice part, BufferSlice all, CopyStream stream) {
        requireOpen();
        Arguments.requireSize(part.byteSize(), all);
        if (!part.equals(all)) {
            copy(part, all, stream);
        }
    }

    private static void copy(BufferSlice from, BufferSlice to, CopyStream stream) {
        stream.copy(from.buffer(), from.offset(), to.buffer(), to.offset(), from.byteSize());
    }

    @Override
    public void send(BufferSlice slice, int to, CopyStream stream) {
        requireOpen();
        Arguments.requireOther(to, 0, 1);
    }

    @Override
    public void receive(BufferSlice slice, int from, CopyStream stream) {
        requireOpen();
        Arguments.requireOther(from, 0, 1);
    }

    @Override
    public void close() {
        closed = true;
    }
}
