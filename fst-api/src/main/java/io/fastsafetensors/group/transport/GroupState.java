package io.fastsafetensors.group.transport;

import io.fastsafetensors.error.GroupException;
import io.fastsafetensors.error.Where;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/// The state of one rank's group: open, closed or failed. Thread-safe.
public final class GroupState {
    private final AtomicReference<@Nullable GroupException> failure = new AtomicReference<>();
    private volatile boolean closed;

    /// Open and whole.
    public GroupState() {
    }

    /// What a call begins with, and asks again while it waits.
    ///
    /// @throws IllegalStateException if the group was closed
    /// @throws GroupException if it is broken, with the first failure as its cause
    public void requireWhole() {
        if (closed) {
            throw new IllegalStateException("this rank has left the group: it is closed");
        }
        GroupException first = failure.get();
        if (first != null) {
            throw new GroupException("the group is broken: " + first.getMessage(), Where.nowhere(), first);
        }
    }

    /// Whether no failure was noted.
    public boolean isWhole() {
        return failure.get() == null;
    }

    /// Notes a failure; the first one stays.
    ///
    /// @return whether it was the first
    boolean fail(GroupException e) {
        return failure.compareAndSet(null, e);
    }

    /// Closes it; tells whether it was open.
    synchronized boolean close() {
        boolean was = !closed;
        closed = true;
        return was;
    }
}
