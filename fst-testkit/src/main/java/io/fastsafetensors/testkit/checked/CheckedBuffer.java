package io.fastsafetensors.testkit.checked;

import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.Capability;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.types.DeviceHandle;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;

/// A buffer under watch.
final class CheckedBuffer implements DeviceBuffer {
    private final DeviceBuffer delegate;
    private final CheckedBackend backend;
    private final Contract contract;
    private final long bytes;
    private final Object space;
    private final long start;
    private final Optional<MemorySegment> segment;
    private final AtomicInteger flights = new AtomicInteger();
    private final AtomicBoolean closed = new AtomicBoolean();

    CheckedBuffer(DeviceBuffer delegate, CheckedBackend backend, long bytes, long alignment) {
        this.delegate = delegate;
        this.backend = backend;
        this.contract = backend.contract();
        this.bytes = bytes;
        DeviceHandle handle = contract.call("handle()").answer(delegate::handle);
        this.segment = contract.call("segment()").answer(delegate::segment);
        boolean pointer = handle.isPointer();
        this.space = pointer ? Long.valueOf(0) : Long.valueOf(handle.value());
        this.start = pointer ? handle.value() : handle.offset();
        contract.require(delegate.byteSize() == bytes, Check.WRONG_SIZE,
                bytes + " bytes asked for, byteSize() is " + delegate.byteSize());
        contract.require(pointer == contract.claims(Capability.POINTERS), Check.CLAIM_BROKEN,
                "the handle is " + handle);
        contract.require(segment.isPresent() == contract.claims(Capability.HOST_ADDRESSABLE), Check.CLAIM_BROKEN,
                "segment() is " + segment);
        contract.require(!pointer || handle.value() % alignment == 0, Check.WRONG_ALIGNMENT,
                "the handle is " + handle + ", " + alignment + " was asked for");
        segment.ifPresent(memory -> checkSegment(memory, alignment, pointer));
        contract.take(space, start, bytes, this);
        backend.openedHere(this, "a buffer of " + bytes + " bytes");
    }

    private void checkSegment(MemorySegment memory, long alignment, boolean pointer) {
        contract.require(memory.address() % alignment == 0, Check.WRONG_ALIGNMENT, memory + ", not at " + alignment);
        contract.require(memory.byteSize() == bytes && (!pointer || memory.address() == start),
                Check.SEGMENT_ELSEWHERE, memory + " of a buffer of " + bytes + " bytes at " + start);
    }

    /// The buffer of the backend, whose kernels and copies may know no other; foreign ones are what they are.
    static DeviceBuffer real(DeviceBuffer buffer) {
        return buffer instanceof CheckedBuffer checked ? checked.delegate : buffer;
    }

    static BufferSlice real(BufferSlice slice) {
        // A record of a closed buffer cannot be made again.
        return slice.buffer() instanceof CheckedBuffer checked && !checked.isClosed()
                ? new BufferSlice(checked.delegate, slice.offset(), slice.byteSize())
                : slice;
    }

    boolean isClosed() {
        return closed.get() || backend.isClosed();
    }

    CheckedBackend backend() {
        return backend;
    }

    long size() {
        return bytes;
    }

    void takeOff() {
        flights.incrementAndGet();
    }

    void land() {
        flights.decrementAndGet();
    }

    private CheckedCall call(String what) {
        return contract.call(what).require(!isClosed(), Check.CLOSED_BUFFER_USED, IllegalStateException.class,
                () -> this + " is closed").unless(this::isClosed);
    }

    @Override
    public long byteSize() {
        long size = call("byteSize()").answer(delegate::byteSize);
        contract.require(size == bytes, Check.WRONG_SIZE, this + ": byteSize() is " + size + " now");
        return size;
    }

    @Override
    public DeviceHandle handle() {
        return call("handle()").answer(delegate::handle);
    }

    @Override
    public Optional<MemorySegment> segment() {
        return call("segment()").answer(delegate::segment);
    }

    /// The bytes are nobody's any more.
    void giveUp() {
        contract.release(space, start, this);
    }

    /// One thread at a time: of two that close it, none returns before it is closed.
    @Override
    public synchronized void close() {
        if (!closed.compareAndSet(false, true)) {
            delegate.close();
            return;
        }
        if (!contract.forwardsMisuse()) {
            contract.require(flights.get() == 0, Check.BUFFER_CLOSED_IN_FLIGHT,
                    this + ": " + flights + " operations whose fence nobody saw");
        }
        giveUp();
        contract.forget(delegate);
        backend.ended(this);
        delegate.close();
        contract.require(refuses(), Check.CLOSED_BUFFER_ANSWERS, this + ": byteSize() after close()");
        segment.ifPresent(memory -> contract.require(!memory.scope().isAlive(), Check.SEGMENT_OUTLIVES_OWNER,
                memory + " of " + this));
    }

    private boolean refuses() {
        try {
            delegate.byteSize();
            return false;
        } catch (IllegalStateException _) {
            return true;
        }
    }

    /// Its size and place.
    @Override
    public String toString() {
        return "the buffer of " + bytes + " bytes at " + Long.toHexString(start);
    }
}
