package io.fastsafetensors.core.memory;

import io.fastsafetensors.spi.Releases;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/// What tensors live in: a set of leases that end together. Thread-safe.
public final class Scope {
    private final String what;
    private final String advice;
    private final Set<Lease> leases = ConcurrentHashMap.newKeySet();
    private volatile boolean closed;

    /// @param what how messages call it, such as `weights of /models/x`
    public Scope(String what) {
        this(what, "");
    }

    /// @param what how messages call it, such as `weights of /models/x`
    /// @param advice what to do instead of using what is closed, in words that follow "is closed"
    public Scope(String what, String advice) {
        this.what = what;
        this.advice = advice;
    }

    /// A lease on `buffer` that ends with this scope at the latest. Takes over one hold on the buffer.
    ///
    /// @throws IllegalStateException if the scope is closed; the hold is released then
    public Lease lease(SharedBuffer buffer) {
        Lease lease = new Lease(buffer);
        leases.add(lease);
        if (closed) {
            lease.close();
            requireOpen();
        }
        return lease;
    }

    /// A user of a lease is gone; the last one ends it.
    public void release(Lease lease) {
        if (lease.isLast()) {
            leases.remove(lease);
            lease.close();
        }
    }

    /// Refuses to go on after [#close()].
    ///
    /// @throws IllegalStateException if the scope is closed
    public void requireOpen() {
        if (closed) {
            throw closed(what);
        }
    }

    /// The failure of who uses something of this scope that is closed.
    ///
    /// @param it what is closed
    public IllegalStateException closed(String it) {
        return new IllegalStateException(it + " is closed" + advice);
    }

    /// Whether [#close()] was called.
    public boolean isClosed() {
        return closed;
    }

    /// From now on [#requireOpen()] fails; what is leased stays until [#close()].
    public void markClosed() {
        closed = true;
    }

    /// Ends every lease. Idempotent: what fails to be freed keeps nothing else, and is told once.
    public void close() {
        markClosed();
        List<Lease> all = new ArrayList<>(leases);
        leases.removeAll(all);
        Releases releases = new Releases();
        all.forEach(lease -> releases.run(lease::close));
        releases.finish();
    }

    /// How messages call it.
    @Override
    public String toString() {
        return what;
    }
}
