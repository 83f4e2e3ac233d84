package io.fastsafetensors.testkit.checked;

import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Fence;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.List;
import java.util.Set;
import java.util.WeakHashMap;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// A stream under watch: what was submitted is remembered until a fence shows that it is done.
@SuppressWarnings("ReferenceEquality") // What counts is which object it is.
final class CheckedStream implements CopyStream {
    private static final Thread ANOTHER = Thread.ofPlatform().unstarted(() -> {
    });

    private final CopyStream delegate;
    private final CheckedBackend backend;
    private final Contract contract;
    private final Deque<Flight> flights = new ArrayDeque<>();
    private final Set<CheckedFence> fences = Collections.newSetFromMap(new WeakHashMap<>());
    private final AtomicReference<@Nullable Thread> user = new AtomicReference<>();
    private long submitted;
    private long seen;
    private volatile boolean closed;

    CheckedStream(CopyStream delegate, CheckedBackend backend) {
        this.delegate = delegate;
        this.backend = backend;
        this.contract = backend.contract();
        backend.openedHere(this, "a stream");
    }

    CopyStream real() {
        return delegate;
    }

    CheckedBackend backend() {
        return backend;
    }

    boolean isClosed() {
        return closed || backend.isClosed();
    }

    /// The place up to which everything is known to be done.
    synchronized long seen() {
        return seen;
    }

    synchronized void forget(CheckedFence fence) {
        fences.remove(fence);
    }

    CheckedCall call(String what) {
        return contract.call(what).require(!isClosed(), Check.CLOSED_STREAM_USED, IllegalStateException.class,
                () -> "the stream is closed").unless(this::isClosed);
    }

    /// Runs one call; no other thread may be in one.
    void alone(String what, Runnable call) {
        alone(what, () -> {
            call.run();
            return Boolean.TRUE;
        });
    }

    private <T> T alone(String what, Supplier<T> call) {
        Thread me = Thread.currentThread();
        Thread other = user.compareAndExchange(null, me);
        if (other != null && other != me && !contract.forwardsMisuse()) {
            throw contract.violations().add(Check.STREAM_SHARED, what + " by " + me + " while " + other + " is in one");
        }
        try {
            return call.get();
        } finally {
            if (other == null) {
                user.set(null);
            }
        }
    }

    /// A buffer of this stream's device, open, with the range inside.
    CheckedCall buffer(CheckedCall call, DeviceBuffer buffer, long offset, long bytes) {
        if (!(buffer instanceof CheckedBuffer checked)) {
            // Made by core around memory of another framework: it answers for itself.
            return call;
        }
        return call
                .assume(checked.backend().device().device().equals(backend.device().device()), Check.FOREIGN_BUFFER,
                        () -> checked + " of " + checked.backend().device().device())
                .require(!checked.isClosed(), Check.CLOSED_BUFFER_USED, IllegalStateException.class,
                        () -> checked + " is closed")
                .require(offset >= 0 && bytes >= 0 && bytes <= checked.size() && offset <= checked.size() - bytes,
                        Check.OUTSIDE_BUFFER, IndexOutOfBoundsException.class,
                        () -> bytes + " bytes at " + offset + " of " + checked)
                .unless(checked::isClosed);
    }

    private CheckedCall host(CheckedCall call, MemorySegment memory) {
        return call
                .require(memory.scope().isAlive(), Check.HOST_MEMORY_CLOSED, IllegalStateException.class,
                        memory::toString)
                .require(memory.isAccessibleBy(Thread.currentThread()), Check.HOST_MEMORY_OF_ANOTHER_THREAD,
                        WrongThreadException.class, memory::toString)
                .assume(contract.forwardsMisuse() || (memory.isNative() && memory.isAccessibleBy(ANOTHER)),
                        Check.HOST_MEMORY_NOT_SHARED, memory::toString);
    }

    @Override
    public void copyToDevice(MemorySegment source, DeviceBuffer target, long targetOffset) {
        alone("copyToDevice", () -> {
            CheckedCall call = buffer(host(call("copyToDevice"), source), target, targetOffset, source.byteSize());
            Object owner = contract.ownerOf(Contract.HOST, source.address());
            long print = call.isLegal() && owner instanceof CheckedStaging ? Flight.print(source) : 0;
            submit(call, () -> delegate.copyToDevice(source, CheckedBuffer.real(target), targetOffset),
                    List.of(target), source, owner, print);
        });
    }

    @Override
    public void copyToHost(DeviceBuffer source, long sourceOffset, MemorySegment target) {
        alone("copyToHost", () -> {
            CheckedCall call = buffer(host(call("copyToHost"), target), source, sourceOffset, target.byteSize())
                    .require(!target.isReadOnly(), Check.READ_ONLY_TARGET, IllegalArgumentException.class,
                            target::toString);
            submit(call, () -> delegate.copyToHost(CheckedBuffer.real(source), sourceOffset, target), List.of(source),
                    target, contract.ownerOf(Contract.HOST, target.address()), 0);
        });
    }

    @Override
    public void copy(DeviceBuffer source, long sourceOffset, DeviceBuffer target, long targetOffset, long bytes) {
        alone("copy", () -> {
            CheckedCall call = buffer(buffer(call("copy"), source, sourceOffset, bytes), target, targetOffset, bytes)
                    .assume(source != target || bytes <= Math.abs(sourceOffset - targetOffset), Check.OVERLAPPING_COPY,
                            () -> bytes + " bytes from " + sourceOffset + " to " + targetOffset + " of " + source);
            submit(call, () -> delegate.copy(CheckedBuffer.real(source), sourceOffset, CheckedBuffer.real(target),
                    targetOffset, bytes), List.of(source, target), null, null, 0);
        });
    }

    /// Submits work, and remembers it if it was taken.
    void submit(CheckedCall call, Runnable work, List<DeviceBuffer> buffers, @Nullable MemorySegment host,
            @Nullable Object owner, long print) {
        List<CheckedBuffer> touched = buffers.stream().flatMap(
                buffer -> buffer instanceof CheckedBuffer checked ? Stream.of(checked) : Stream.empty()).toList();
        Flight flight;
        synchronized (this) {
            flight = new Flight(++submitted, touched, host, owner, print, null);
            flight.takeOff();
            flights.add(flight);
        }
        boolean taken = false;
        try {
            call.run(work);
            taken = true;
        } finally {
            if (!taken) {
                synchronized (this) {
                    if (flights.remove(flight)) {
                        touched.forEach(CheckedBuffer::land);
                        new Flight(0, List.of(), null, owner, 0, null).land(contract, false);
                    }
                }
            }
        }
    }

    @Override
    public Fence fence() {
        return alone("fence()", () -> {
            Fence fence = call("fence()").answer(delegate::fence);
            synchronized (this) {
                CheckedFence made = new CheckedFence(fence, backend, this, submitted);
                fences.add(made);
                return made;
            }
        });
    }

    @Override
    public void waitFor(Fence fence) {
        alone("waitFor", () -> {
            if (!(fence instanceof CheckedFence checked)) {
                call("waitFor").run(() -> delegate.waitFor(fence));
                return;
            }
            call("waitFor")
                    .assume(!checked.isClosed(), Check.CLOSED_FENCE_USED, () -> "the fence to wait for is closed")
                    .run(() -> delegate.waitFor(checked.real()));
            synchronized (this) {
                flights.add(new Flight(++submitted, List.of(), null, null, 0, () -> checked.seen(true)));
            }
        });
    }

    @Override
    public void synchronize() {
        alone("synchronize()", () -> {
            try {
                call("synchronize()").run(delegate::synchronize);
            } catch (BackendException e) {
                landTo(Long.MAX_VALUE, false);
                throw e;
            }
            landTo(Long.MAX_VALUE, true);
        });
    }

    /// Everything up to this place is done.
    void landTo(long position, boolean succeeded) {
        List<Flight> done = new ArrayList<>();
        synchronized (this) {
            seen = Math.max(seen, Math.min(position, submitted));
            while (!flights.isEmpty() && flights.element().position() <= position) {
                done.add(flights.remove());
            }
        }
        done.forEach(flight -> flight.land(contract, succeeded));
    }

    @Override
    public void close() {
        if (closed) {
            delegate.close();
            return;
        }
        alone("close()", () -> {
            try {
                delegate.close();
            } finally {
                // Whatever it throws, it is over: who closes does so once.
                closed = true;
                backend.ended(this);
                contract.forget(delegate);
                landTo(Long.MAX_VALUE, false);
            }
            List<CheckedFence> left;
            synchronized (this) {
                left = List.copyOf(fences);
            }
            for (CheckedFence fence : left) {
                contract.require(fence.isClosed() || isDone(fence), Check.STREAM_CLOSED_EARLY,
                        "a fence of the stream has not passed after close()");
            }
        });
    }

    private static boolean isDone(CheckedFence fence) {
        try {
            return fence.real().isPassed();
        } catch (BackendException | IllegalStateException _) {
            // The work failed, or the fence ended with its stream: done in any case.
            return true;
        }
    }
}
