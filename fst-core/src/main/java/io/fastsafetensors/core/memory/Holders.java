package io.fastsafetensors.core.memory;

import java.util.concurrent.atomic.AtomicInteger;

/// A count of who holds something; it begins with one holder and never comes back from none.
final class Holders {
    private final AtomicInteger count = new AtomicInteger(1);

    /// One more.
    ///
    /// @throws IllegalStateException if there are none any more
    void add(String what) {
        if (!tryAdd()) {
            throw new IllegalStateException(what + " is closed");
        }
    }

    /// One more, unless there are none any more.
    boolean tryAdd() {
        int now;
        do {
            now = count.get();
            if (now == 0) {
                return false;
            }
        } while (!count.compareAndSet(now, now + 1));
        return true;
    }

    /// One less.
    ///
    /// @return whether it was the last
    boolean remove() {
        int now = count.decrementAndGet();
        if (now < 0) {
            throw new AssertionError("released more often than retained");
        }
        return now == 0;
    }
}
