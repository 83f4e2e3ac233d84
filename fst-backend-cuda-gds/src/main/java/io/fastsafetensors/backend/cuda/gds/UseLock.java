package io.fastsafetensors.backend.cuda.gds;

import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.Supplier;

/// Lets many threads use something until one closes it; closing waits for the uses under way.
final class UseLock {
    private final String what;
    private final ReentrantReadWriteLock lock = new ReentrantReadWriteLock();
    private boolean closed;

    /// @param what the thing, for messages
    UseLock(String what) {
        this.what = what;
    }

    /// Does work, during which the thing stays open.
    ///
    /// @throws IllegalStateException if it is closed
    <T> T using(Supplier<T> work) {
        lock.readLock().lock();
        try {
            if (closed) {
                throw new IllegalStateException(what + " is closed");
            }
            return work.get();
        } finally {
            lock.readLock().unlock();
        }
    }

    /// Closes: the first caller releases, and every caller returns when that is done. Not to be called out of a use.
    void close(Runnable release) {
        lock.writeLock().lock();
        try {
            if (!closed) {
                closed = true;
                release.run();
            }
        } finally {
            lock.writeLock().unlock();
        }
    }
}
