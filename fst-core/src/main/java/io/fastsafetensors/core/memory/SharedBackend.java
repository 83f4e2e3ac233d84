package io.fastsafetensors.core.memory;

import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.Releases;
import java.util.ArrayDeque;
import java.util.List;
import java.util.function.Consumer;

/// An opened backend with a count of its references (of loaders, buffers, pools); the last one closes it.
///
/// It keeps streams that nobody uses, because loads and tensors want one for a moment each. Thread-safe.
///
/// One for each device and its switches, as long as anything in the process uses it: a device's context and streams are
/// too expensive to open for each load. Whoever keeps memory, slots or mappings of the device has a reference, so the
/// device outlives everything that was made on it.
public final class SharedBackend {
    /// As many as readers at a time, and some for conversions besides.
    ///
    /// More are closed when they are given back.
    private static final int MOST_IDLE = 32;

    private final Backend backend;
    private final Consumer<SharedBackend> closing;
    private final References references = new References();
    /// The one that was used last is taken first. Guarded by itself.
    private final ArrayDeque<CopyStream> idleStreams = new ArrayDeque<>();

    /// Takes over `backend`; one reference.
    ///
    /// @param closing told of this before the backend is closed
    public SharedBackend(Backend backend, Consumer<SharedBackend> closing) {
        this.backend = backend;
        this.closing = closing;
    }

    /// The backend; use it only while there is a reference to it.
    public Backend get() {
        return backend;
    }

    /// A stream that nobody else uses, perhaps one that was used before: opening one is expensive where it is a queue of
    /// a device.
    ///
    /// The caller gives it back, or closes it if its work failed.
    public CopyStream takeStream() {
        CopyStream idle;
        synchronized (idleStreams) {
            idle = idleStreams.poll();
        }
        return idle != null ? idle : backend.openCopyStream();
    }

    /// Takes a stream back. Nothing is under way on it, and nothing of its work failed.
    public void giveStream(CopyStream stream) {
        synchronized (idleStreams) {
            if (idleStreams.size() < MOST_IDLE) {
                idleStreams.push(stream);
                return;
            }
        }
        stream.close();
    }

    /// Outside the lock, since closing waits for the device.
    private void closeStreams() {
        List<CopyStream> idle;
        synchronized (idleStreams) {
            idle = List.copyOf(idleStreams);
            idleStreams.clear();
        }
        Releases releases = new Releases();
        idle.forEach(stream -> releases.run(stream::close));
        releases.finish();
    }

    /// One reference more.
    ///
    /// @throws IllegalStateException if it was closed already
    public void retain() {
        references.retain("the device");
    }

    /// One reference more, unless it was closed already.
    public boolean tryRetain() {
        return references.tryRetain();
    }

    /// One reference less; the last closes the backend.
    ///
    /// Closes on the calling thread. The table of open devices is told first, so that nobody finds a device that is
    /// being closed.
    public void release() {
        if (references.release()) {
            new Releases().run(() -> closing.accept(this)).run(this::closeStreams).run(backend::close).finish();
        }
    }
}
