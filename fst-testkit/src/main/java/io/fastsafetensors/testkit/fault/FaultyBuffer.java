package io.fastsafetensors.testkit.fault;

import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.base.ForwardingBuffer;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/// A counted buffer. The decorated backend gets the real one back: it may know no other.
final class FaultyBuffer extends ForwardingBuffer {
    private final boolean remote;
    private final Runnable closed;

    FaultyBuffer(FaultyBackend owner, DeviceBuffer delegate, boolean remote, Runnable closed) {
        super(owner, delegate);
        this.remote = remote;
        this.closed = closed;
    }

    static DeviceBuffer real(DeviceBuffer buffer) {
        return buffer instanceof FaultyBuffer faulty ? faulty.delegate() : buffer;
    }

    static BufferSlice real(BufferSlice slice) {
        return new BufferSlice(real(slice.buffer()), slice.offset(), slice.byteSize());
    }

    @Override
    public Optional<MemorySegment> segment() {
        Optional<MemorySegment> segment = super.segment();
        return remote ? Optional.empty() : segment;
    }

    @Override
    public void close() {
        super.close();
        closed.run();
    }
}
