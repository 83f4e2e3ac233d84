package io.fastsafetensors.spi.base;

import io.fastsafetensors.spi.Releases;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Tracks whether something is open, and what was opened in it. A backend has one of its own, and everything that it hands
/// out has one in it, so that:
///
/// * closing twice, or from several threads, releases once;
/// * using what is closed is an [IllegalStateException] that says what is closed;
/// * closing a backend closes what is still open there, the last opened first: streams and files before memory, which they
///   may still use; what cannot be released keeps nothing else from it;
/// * nothing is opened in what is being closed, and work [#using] it ends before it is released;
/// * memory that a native call in flight uses stays open until a later close.
///
/// ```java
/// Lifetime backend = Lifetime.of("the acme backend", acme::shutDown);
/// Lifetime stream = backend.work("the copy stream", () -> acme.destroyStream(handle));
/// Lifetime buffer = backend.memory("the buffer of 16 bytes", () -> acme.free(address));
/// ```
///
/// Thread-safe.
public final class Lifetime implements AutoCloseable {
    private final String what;
    private final @Nullable Lifetime parent;
    private final Runnable release;
    private final ReentrantReadWriteLock lock = new ReentrantReadWriteLock();
    private final Set<Lifetime> work = new LinkedHashSet<>();
    private final Set<Lifetime> memory = new LinkedHashSet<>();
    private volatile boolean closed;
    private boolean released;

    private Lifetime(String what, @Nullable Lifetime parent, Runnable release) {
        this.what = what;
        this.parent = parent;
        this.release = release;
    }

    /// The lifetime of a backend, or of anything that is opened in nothing else.
    ///
    /// @param what as messages call it, such as `the acme backend`
    /// @param release run once, after everything that was opened in it has been closed
    public static Lifetime of(String what, Runnable release) {
        return new Lifetime(what, null, release);
    }

    /// The lifetime of something that uses memory: a stream, a file, a queue. Closed before the [#memory] of this one.
    ///
    /// @param what as messages call it
    /// @param release run once; what it throws is passed on, and the thing counts as released, unless it is a
    ///        [StillInUseException]. Runs at once if this lifetime has been closed meanwhile
    /// @throws IllegalStateException if this is closed
    public Lifetime work(String what, Runnable release) {
        return add(new Lifetime(what, this, release), work);
    }

    /// The lifetime of memory that was taken: of a device, page-locked, registered.
    ///
    /// @param what as messages call it
    /// @param release as for [#work]
    /// @throws IllegalStateException if this is closed
    public Lifetime memory(String what, Runnable release) {
        return add(new Lifetime(what, this, release), memory);
    }

    /// The lifetime of memory whose segments belong to an arena, which is closed before the memory is released. While a
    /// native call uses a segment, closing is a [StillInUseException] and changes nothing.
    ///
    /// @param what as messages call it
    /// @param arena a shared one
    /// @param release as for [#work]
    /// @throws IllegalStateException if this is closed
    public Lifetime memory(String what, Arena arena, Runnable release) {
        return memory(what, () -> {
            try {
                arena.close();
            } catch (IllegalStateException e) {
                if (arena.scope().isAlive()) {
                    throw new StillInUseException(what, e);
                }
            }
            release.run();
        });
    }

    private Lifetime add(Lifetime child, Set<Lifetime> among) {
        synchronized (work) {
            among.add(child);
        }
        if (closed) {
            // Closed meanwhile, perhaps without having seen this one.
            child.close();
            requireOpen();
        }
        return child;
    }

    private void forget(Lifetime child) {
        synchronized (work) {
            work.remove(child);
            memory.remove(child);
        }
    }

    /// What messages call it.
    public String what() {
        return what;
    }

    /// Whether it was closed, or is being closed.
    public boolean isClosed() {
        return closed;
    }

    /// Lets what is open pass.
    ///
    /// @throws IllegalStateException once closed
    public void requireOpen() {
        if (closed) {
            throw new IllegalStateException(what + " is closed");
        }
    }

    /// Does work during which this stays as it is: closing waits for it.
    ///
    /// @return what the work returns
    /// @throws IllegalStateException if this is closed
    public <T> T using(Supplier<T> task) {
        lock.readLock().lock();
        try {
            requireOpen();
            return task.get();
        } finally {
            lock.readLock().unlock();
        }
    }

    /// Closes what was opened in this, then releases this. A second call does nothing, and returns when it is released,
    /// also by another thread.
    ///
    /// @throws StillInUseException if memory is used by a native call: that memory stays open, and what it was opened in is
    ///         closed to users but not released, until a later close
    /// @throws IllegalStateException if this thread is [#using] it
    @Override
    public void close() {
        if (lock.getReadHoldCount() > 0) {
            throw new IllegalStateException(what + " cannot be closed by work that uses it");
        }
        lock.writeLock().lock();
        try {
            if (released) {
                return;
            }
            closed = true;
            Releases releases = new Releases();
            newestFirst(work).forEach(child -> releases.run(child::close));
            newestFirst(memory).forEach(child -> releases.run(child::close));
            if (isEmpty()) {
                releases.run(this::release);
            } else {
                StillInUseException stuck = new StillInUseException(what, releases.failure().orElse(null));
                throw stuck;
            }
            releases.finish();
        } finally {
            lock.writeLock().unlock();
        }
    }

    private void release() {
        try {
            released = true;
            release.run();
        } catch (StillInUseException e) {
            released = false;
            closed = false;
            throw e;
        } finally {
            if (released && parent != null) {
                parent.forget(this);
            }
        }
    }

    private List<Lifetime> newestFirst(Set<Lifetime> among) {
        synchronized (work) {
            return new ArrayList<>(among).reversed();
        }
    }

    private boolean isEmpty() {
        synchronized (work) {
            return work.isEmpty() && memory.isEmpty();
        }
    }
}
