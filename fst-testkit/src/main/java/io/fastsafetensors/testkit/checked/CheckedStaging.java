package io.fastsafetensors.testkit.checked;

import io.fastsafetensors.spi.StagingBuffer;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;

/// Staging memory under watch.
final class CheckedStaging implements StagingBuffer {
    private static final Thread ANOTHER = Thread.ofPlatform().unstarted(() -> {
    });
    private static final int PAGE = 4096;

    private final StagingBuffer delegate;
    private final CheckedBackend backend;
    private final Contract contract;
    private final MemorySegment memory;
    private final AtomicInteger flights = new AtomicInteger();
    private final AtomicBoolean closed = new AtomicBoolean();

    CheckedStaging(StagingBuffer delegate, CheckedBackend backend, long bytes) {
        this.delegate = delegate;
        this.backend = backend;
        this.contract = backend.contract();
        this.memory = contract.call("segment()").answer(delegate::segment);
        contract.require(memory.byteSize() == bytes, Check.WRONG_SIZE, memory + " for " + bytes + " bytes");
        contract.require(memory.address() % PAGE == 0, Check.WRONG_ALIGNMENT, memory.toString());
        contract.require(memory.isNative() && !memory.isReadOnly() && memory.isAccessibleBy(ANOTHER),
                Check.STAGING_NOT_SHARED, memory.toString());
        contract.take(Contract.HOST, memory.address(), bytes, this);
        backend.openedHere(this, "staging memory of " + bytes + " bytes");
    }

    boolean isClosed() {
        return closed.get() || backend.isClosed();
    }

    void takeOff() {
        flights.incrementAndGet();
    }

    void land() {
        flights.decrementAndGet();
    }

    @Override
    public MemorySegment segment() {
        return contract.call("segment()")
                .assume(!isClosed(), Check.CLOSED_STAGING_USED, () -> this + " is closed")
                .unless(this::isClosed).answer(delegate::segment);
    }

    @Override
    public boolean isPageLocked() {
        return delegate.isPageLocked();
    }

    /// The backend closes it.
    void giveUp() {
        contract.release(Contract.HOST, memory.address(), this);
        contract.forget(delegate);
    }

    /// One thread at a time: of two that close it, none returns before it is closed.
    @Override
    public synchronized void close() {
        if (!closed.compareAndSet(false, true)) {
            delegate.close();
            return;
        }
        if (!contract.forwardsMisuse()) {
            contract.require(flights.get() == 0, Check.STAGING_CLOSED_IN_FLIGHT,
                    this + ": " + flights + " copies whose fence nobody saw");
        }
        giveUp();
        backend.ended(this);
        delegate.close();
        contract.require(!memory.scope().isAlive(), Check.SEGMENT_OUTLIVES_OWNER, memory + " of " + this);
    }

    /// Its size.
    @Override
    public String toString() {
        return "the staging memory of " + memory.byteSize() + " bytes";
    }
}
