package io.fastsafetensors.testkit.checked;

import io.fastsafetensors.spi.HostRegistration;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;

/// Registered memory under watch.
final class CheckedRegistration implements HostRegistration {
    private final HostRegistration delegate;
    private final CheckedBackend backend;
    private final Contract contract;
    private final MemorySegment memory;
    private final AtomicInteger flights = new AtomicInteger();
    private final AtomicBoolean closed = new AtomicBoolean();

    CheckedRegistration(HostRegistration delegate, MemorySegment memory, CheckedBackend backend) {
        this.delegate = delegate;
        this.memory = memory;
        this.backend = backend;
        this.contract = backend.contract();
        contract.require(delegate.byteSize() == memory.byteSize(), Check.WRONG_SIZE,
                delegate.byteSize() + " bytes registered of " + memory);
        contract.take(Contract.HOST, memory.address(), memory.byteSize(), this);
        backend.openedHere(this, "registered memory of " + memory.byteSize() + " bytes");
    }

    void takeOff() {
        flights.incrementAndGet();
    }

    void land() {
        flights.decrementAndGet();
    }

    @Override
    public long byteSize() {
        return delegate.byteSize();
    }

    @Override
    public void close() {
        if (!closed.compareAndSet(false, true)) {
            delegate.close();
            return;
        }
        contract.release(Contract.HOST, memory.address(), this);
        backend.ended(this);
        delegate.close();
        if (!contract.forwardsMisuse()) {
            contract.require(memory.scope().isAlive(), Check.MEMORY_CLOSED_WHILE_REGISTERED, memory.toString());
            contract.require(flights.get() == 0, Check.REGISTRATION_CLOSED_IN_FLIGHT,
                    memory + ": " + flights + " copies whose fence nobody saw");
        }
    }

    /// The memory.
    @Override
    public String toString() {
        return "the registration of " + memory;
    }
}
