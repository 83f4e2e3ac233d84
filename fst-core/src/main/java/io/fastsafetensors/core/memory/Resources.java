package io.fastsafetensors.core.memory;

import io.fastsafetensors.spi.Releases;
import java.util.ArrayDeque;

/// A set of acquired resources: released once, the last first, all of them whatever a release throws.
///
/// An operation that acquires several things adds each as soon as it has it, inside a `try` with the resources; when
/// nothing can fail any more it hands them over to their next owner. Thread-safe; what is added while another thread closes
/// stays, until the next close.
///
/// A method that hands over as its last statement needs no `catch`: on every earlier exit the `try` releases what was
/// acquired.
public final class Resources implements AutoCloseable {
    private final ArrayDeque<AutoCloseable> all = new ArrayDeque<>();

    /// None yet.
    public Resources() {
    }

    /// One more.
    ///
    /// @param resource the resource, or what releases it: a resource itself spares the first load of a process the linking of
    ///        a method reference
    public synchronized void add(AutoCloseable resource) {
        all.push(resource);
    }

    /// Hands everything over.
    ///
    /// The order is kept, so what was acquired first is released last there too.
    ///
    /// @return what was here; nothing is left to release here
    public synchronized Resources handOver() {
        Resources handed = new Resources();
        handed.all.addAll(all);
        all.clear();
        return handed;
    }

    /// Releases everything. Idempotent: a second close releases nothing, and a failure is thrown once.
    ///
    /// Releases without the lock, because releasing may wait for threads that add here.
    ///
    /// @throws IllegalStateException with the cause, if a resource throws a checked exception
    @Override
    public void close() {
        ArrayDeque<AutoCloseable> mine;
        synchronized (this) {
            mine = new ArrayDeque<>(all);
            all.clear();
        }
        Releases done = new Releases();
        for (AutoCloseable resource : mine) {
            done.run(() -> close(resource));
        }
        done.finish();
    }

    /// What core holds throws no checked exceptions; the signature allows them.
    private static void close(AutoCloseable resource) {
        try {
            resource.close();
        } catch (RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw new IllegalStateException("a resource could not be released: " + e, e);
        }
    }
}
