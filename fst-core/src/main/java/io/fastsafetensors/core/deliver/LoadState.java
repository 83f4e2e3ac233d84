package io.fastsafetensors.core.deliver;

import io.fastsafetensors.core.memory.Lease;
import io.fastsafetensors.core.memory.Scope;
import io.fastsafetensors.core.memory.SharedBackend;
import io.fastsafetensors.core.place.LoadJob;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/// What a load holds, apart from the object that the user holds, so that it can be freed when that was collected.
final class LoadState {
    private final Scope scope;
    private final List<@Nullable Lease> leases;
    private final LoadJob job;
    private final SharedBackend backend;
    private final AtomicBoolean freed = new AtomicBoolean();

    /// @param scope what its tensors live in
    /// @param leases one a file, null where nothing was loaded from it
    /// @param job its readers
    /// @param backend one hold of it, released by [#close()]
    LoadState(Scope scope, List<@Nullable Lease> leases, LoadJob job, SharedBackend backend) {
        this.scope = scope;
        this.leases = leases;
        this.job = job;
        this.backend = backend;
    }

    Scope scope() {
        return scope;
    }

    @Nullable
    Lease lease(int file) {
        return leases.get(file);
    }

    LoadJob job() {
        return job;
    }

    /// Stops the readers, then frees. Idempotent; every caller returns when the readers have stopped.
    void close() {
        scope.markClosed();
        job.cancel(new IllegalStateException(scope + " is closed"));
        if (job.isReader()) {
            throw new IllegalStateException(scope + " is being closed by its own progress listener: the load is"
                    + " cancelled; close it from another thread to free its memory");
        }
        job.join();
        if (freed.compareAndSet(false, true)) {
            scope.close();
            backend.release();
        }
    }
}
