package io.fastsafetensors.testkit.fault;

import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.OutOfDeviceMemoryException;
import io.fastsafetensors.error.Where;
import java.time.Duration;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;

/// A plan of faults to inject. Set up by one thread before use; from then on any thread may use it. One plan serves one
/// [FaultyBackendProvider]; its counts go on over all backends that were opened.
public final class FaultPlan {
    private final long seed;
    private final SplittableRandom random;
    private final Map<Operation, AtomicLong> calls = new EnumMap<>(Operation.class);
    private final Map<Operation, Set<Long>> failing = new EnumMap<>(Operation.class);
    private final Map<Operation, Double> probabilities = new ConcurrentHashMap<>();
    private final Map<Operation, Duration> delays = new EnumMap<>(Operation.class);
    private final AtomicLong failures = new AtomicLong();
    private boolean deferred;
    private boolean remote;
    private int shortReads;

    private FaultPlan(long seed) {
        this.seed = seed;
        this.random = new SplittableRandom(seed);
        for (Operation operation : Operation.values()) {
            calls.put(operation, new AtomicLong());
        }
    }

    /// A plan in which nothing goes wrong yet.
    ///
    /// @param seed what all randomness follows from; print it where a test fails
    public static FaultPlan seeded(long seed) {
        return new FaultPlan(seed);
    }

    /// Fails the `nth` call of a kind, counted from 1. May be called several times.
    public FaultPlan fail(Operation operation, long nth) {
        failing.computeIfAbsent(operation, o -> new HashSet<>()).add(nth);
        return this;
    }

    /// Fails each call of a kind with this probability. May be changed while the plan is in use, by any thread.
    public FaultPlan failRandomly(Operation operation, double probability) {
        probabilities.put(operation, probability);
        return this;
    }

    /// Makes each call of a kind late by a random time up to this one.
    public FaultPlan delay(Operation operation, Duration most) {
        delays.put(operation, most);
        return this;
    }

    /// Carries out copies and kernels beside the caller, each stream on its own thread: in order within a stream, in any
    /// order over streams (with delays, in a different one each time). Code that touches memory before its fence has
    /// passed gets wrong bytes. The devices then claim asynchronous copies.
    public FaultPlan deferred() {
        this.deferred = true;
        return this;
    }

    /// Hides the device's memory from the host, as on a graphics card: buffers show no segment, and the devices do not
    /// claim [io.fastsafetensors.spi.Capability#HOST_ADDRESSABLE].
    public FaultPlan remote() {
        this.remote = true;
        return this;
    }

    /// Splits direct reads into this many parts: harmless for the caller, who sees whole reads, but each part counts as
    /// a [Operation#DIRECT_READ] that can fail, half the bytes being there.
    public FaultPlan splitDirectReads(int parts) {
        this.shortReads = parts;
        return this;
    }

    /// The seed.
    public long seed() {
        return seed;
    }

    /// How often operations of a kind were begun.
    public long calls(Operation operation) {
        return count(operation).get();
    }

    /// How many calls failed on purpose.
    public long failures() {
        return failures.get();
    }

    boolean isDeferred() {
        return deferred;
    }

    boolean isRemote() {
        return remote;
    }

    int directParts() {
        return Math.max(1, shortReads);
    }

    /// Counts a call, waits if it is to be late, and throws if it is to fail.
    ///
    /// @param backend the backend's name, for the message
    /// @param bytes the size asked for, for allocations
    void before(Operation operation, String backend, long bytes) {
        long call = count(operation).incrementAndGet();
        double dice;
        long pause;
        synchronized (random) {
            dice = random.nextDouble();
            Duration most = delays.get(operation);
            pause = most == null || most.isZero() ? 0 : random.nextLong(most.toNanos());
        }
        if (pause > 0) {
            LockSupport.parkNanos(pause);
        }
        if (failing.getOrDefault(operation, Set.of()).contains(call)
                || dice < probabilities.getOrDefault(operation, 0.0)) {
            failures.incrementAndGet();
            if (operation == Operation.ALLOCATE || operation == Operation.ALLOCATE_STAGING) {
                throw new OutOfDeviceMemoryException(bytes, 0, Where.backend(backend));
            }
            throw new BackendException("injected fault: " + operation + " number " + call + ", seed " + seed,
                    Where.backend(backend));
        }
    }

    /// What the first close of an object does when it has released it: counts the object as closed, and throws if the close
    /// is to fail. Later ones do nothing.
    ///
    /// @param ticket counts the object as closed
    Runnable once(Operation operation, String backend, Runnable ticket) {
        AtomicBoolean closed = new AtomicBoolean();
        return () -> {
            if (closed.compareAndSet(false, true)) {
                ticket.run();
                before(operation, backend, 0);
            }
        };
    }

    private AtomicLong count(Operation operation) {
        AtomicLong count = calls.get(operation);
        if (count == null) {
            throw new IllegalArgumentException("no count for " + operation);
        }
        return count;
    }
}
