package io.fastsafetensors.core.memory;

import java.util.concurrent.atomic.AtomicInteger;

/// Counts the references to something. It begins with one, and never comes back from none. Thread-safe.
///
/// Only who has a reference may retain another one without asking; who does not (a table of open devices, say) tries, and
/// makes a new object if it comes too late.
public final class References {
    private final AtomicInteger count = new AtomicInteger(1);

    /// One reference.
    public References() {
    }

    /// One more.
    ///
    /// @param what how messages call it
    /// @throws IllegalStateException if there are none any more
    public void retain(String what) {
        if (!tryRetain()) {
            throw new IllegalStateException(what + " is closed");
        }
    }

    /// One more, unless there are none any more.
    ///
    /// A compare-and-set loop rather than an increment: zero must stay zero, whatever other threads try at the same
    /// time.
    public boolean tryRetain() {
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
    /// Who gets true has the thing alone: no thread can retain it any more.
    ///
    /// @return whether it was the last
    public boolean release() {
        int now = count.decrementAndGet();
        if (now < 0) {
            throw new AssertionError("released more often than retained");
        }
        return now == 0;
    }
}
