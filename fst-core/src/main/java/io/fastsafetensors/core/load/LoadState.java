package io.fastsafetensors.core.load;

import io.fastsafetensors.core.memory.Resources;
import io.fastsafetensors.core.memory.SharedBackend;
import io.fastsafetensors.core.memory.TensorScope;
import io.fastsafetensors.core.transfer.LoadJob;
import io.fastsafetensors.core.transfer.ReaderThreads;
import io.fastsafetensors.spi.Releases;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;

/// The resources of a load, apart from the object that the user has, so that they can be freed when that was collected.
///
/// The weights refer to it and it refers to nothing of theirs, so that the leak detector's thread can close it when
/// they are gone. Closing is idempotent and happens in one order: tensors are refused, readers stop, memory is
/// released, the device's reference goes.
final class LoadState {
    private static final Logger LOG = System.getLogger("io.fastsafetensors.core");

    private final TensorScope scope;
    private final LoadJob job;
    /// The scope and the device. The scope is closed first: buffers go back to a device that is still open.
    private final Resources resources = new Resources();

    /// @param scope what its tensors live in, closed with it
    /// @param job its readers
    /// @param backend the device, retained until [#close()]
    LoadState(TensorScope scope, LoadJob job, SharedBackend backend) {
        this.scope = scope;
        this.job = job;
        backend.retain();
        resources.add(backend::release);
        resources.add(scope);
    }

    TensorScope scope() {
        return scope;
    }

    LoadJob job() {
        return job;
    }

    /// Closes what could not be begun as a whole.
    void fail(Throwable why) {
        job.cancel(why instanceof RuntimeException reason ? reason
                : new IllegalStateException("the load ended before it began: " + why, why));
        close();
    }

    /// Tensors are refused before readers stop: who waits for one learns that the weights are closed.
    ///
    /// Readers stop after the blocks that they are at; [#close()] waits for that.
    private void cancel() {
        scope.markClosed();
        job.cancel(new IllegalStateException(scope + " is closed"));
    }

    /// Stops the readers, waits for them as long as a close waits, then frees. Where it cannot wait, on a reader's own
    /// thread, or where they do not stop in time, the last of them frees. Idempotent.
    ///
    /// @throws RuntimeException what could not be freed, once; everything else is
    void close() {
        cancel();
        if (job.end().isReached()) {
            free();
        } else if (ReaderThreads.isReading()) {
            job.end().then(this::freeOrLog);
        } else if (job.end().awaitToClose()) {
            free();
        } else {
            LOG.log(Level.WARNING, "a read of " + scope + " does not return; its memory is freed when it does");
            job.end().then(this::freeOrLog);
        }
    }

    /// As [#close()], without waiting.
    void abandon() {
        cancel();
        job.end().then(this::freeOrLog);
    }

    private void free() {
        new Releases().run(resources::close).run(job.end()::requireReleased).finish();
    }

    /// Where nobody is there to be told: on a reader's thread, or on the leak detector's.
    private void freeOrLog() {
        try {
            free();
        } catch (RuntimeException | Error e) {
            LOG.log(Level.WARNING, "not everything of " + scope + " could be freed", e);
        }
    }
}
