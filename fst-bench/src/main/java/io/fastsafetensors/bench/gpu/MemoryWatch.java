package io.fastsafetensors.bench.gpu;

import io.fastsafetensors.spi.Backend;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;

/// Asks a device about a thousand times a second how much memory is free, until closed.
final class MemoryWatch implements AutoCloseable {
    private static final long INTERVAL_NANOS = 500_000;

    private final AtomicLong least = new AtomicLong(Long.MAX_VALUE);
    private final AtomicBoolean stopped = new AtomicBoolean();
    private final long before;
    private final Thread thread;

    MemoryWatch(Backend backend) {
        before = backend.memory().free();
        thread = Thread.ofPlatform().daemon().name("bench-memory").start(() -> {
            while (!stopped.get()) {
                least.accumulateAndGet(backend.memory().free(), Math::min);
                LockSupport.parkNanos(INTERVAL_NANOS);
            }
        });
    }

    /// The most bytes in use since the start, beyond what was in use then.
    long peak() {
        return Math.max(0, before - least.get());
    }

    @Override
    public void close() {
        stopped.set(true);
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
