package io.fastsafetensors.gpu.nccl;

import io.fastsafetensors.error.GroupException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.group.transport.Membership;
import io.fastsafetensors.group.PendingCollective;
import io.fastsafetensors.gpu.nccl.ffm.Nccl;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.LongToIntFunction;

/// A communicator that does not block, with the stream that its work runs on. Used by one thread at a time.
final class NcclComm {
    private static final int NON_BLOCKING = 0;
    private static final Duration GOODBYE = Duration.ofSeconds(10);
    private static final long BUSY_NANOS = TimeUnit.MILLISECONDS.toNanos(2);
    private static final long PAUSE_NANOS = TimeUnit.MICROSECONDS.toNanos(100);
    private static final long LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(1);

    private final Nccl nccl;
    private final NcclStatus status;
    private final NcclDevice device;
    private final Membership membership;
    private final Runnable watch;
    private final CopyStream stream;
    /// The library may write there again while the communicator is being made.
    private final MemorySegment cell = Arena.ofAuto().allocate(ValueLayout.JAVA_LONG);
    private long comm;

    /// Makes the communicator; returns when all ranks have.
    ///
    /// @param device not closed here
    /// @param watch asked while waiting; throws to end that
    /// @throws GroupException if the ranks do not meet within the timeout
    NcclComm(NcclStatus status, NcclDevice device, Membership membership, byte[] id, Runnable watch) {
        this.nccl = status.nccl();
        this.status = status;
        this.device = device;
        this.membership = membership;
        this.watch = watch;
        this.stream = device.backend().openCopyStream();
        try {
            int result = device.current(() -> nccl.ncclCommInitRankConfig(cell, membership.size(), id,
                    membership.rank(), NON_BLOCKING));
            comm = cell.get(ValueLayout.JAVA_LONG, 0);
            status.check("ncclCommInitRankConfig", result, comm);
            settle("ncclCommInitRankConfig", "the ranks did not meet", membership.timeout());
        } catch (RuntimeException e) {
            close(false);
            throw e;
        }
    }

    /// What queues work of the communicator.
    interface Work {
        int queue(long comm, long stream);
    }

    /// Queues one call.
    void call(String call, Work work) {
        status.check(call, device.current(() -> work.queue(comm, device.stream(stream))), comm);
    }

    /// Queues several calls that begin together.
    void group(Runnable calls) {
        status.check("ncclGroupStart", nccl.ncclGroupStart());
        try {
            calls.run();
        } finally {
            status.check("ncclGroupEnd", device.current(nccl::ncclGroupEnd), comm);
        }
    }

    /// Waits for what was queued here.
    ///
    /// @param what for the error
    void finish(String what) {
        settle("ncclGroupEnd", what, membership.timeout());
        try (Fence fence = stream.fence()) {
            await(() -> hasEnded(what, fence), new Watch(what + " did not end", membership.timeout()));
        }
    }

    /// Lets what is queued from now on run after what another stream has queued; waits on the device.
    void after(CopyStream other) {
        try (Fence before = other.fence()) {
            stream.waitFor(before);
        }
    }

    /// What was queued since [#after(CopyStream)], which later work of the caller's stream waits for on the device.
    ///
    /// @param what for the error
    PendingCollective begun(String what, CopyStream other) {
        settle("ncclGroupEnd", what, membership.timeout());
        Fence end = stream.fence();
        other.waitFor(end);
        return new PendingCollective() {
            private final Watch watch = new Watch(what + " did not end", membership.timeout());

            @Override
            public boolean isDone() {
                watch.look();
                return hasEnded(what, end);
            }

            @Override
            public void await() {
                NcclComm.this.await(() -> hasEnded(what, end), watch);
            }

            @Override
            public void close() {
                end.close();
            }
        };
    }

    /// What an abort ends passes its fence too: a communicator that is whole after that has done its work.
    private boolean hasEnded(String what, Fence end) {
        boolean passed = end.isPassed();
        if (comm == 0) {
            throw new GroupException(what + " was aborted", Where.nowhere());
        }
        int[] error = new int[1];
        status.check("ncclCommGetAsyncError", nccl.ncclCommGetAsyncError(comm, error), comm);
        status.check(what, error[0], comm);
        return passed;
    }

    /// The stream, for copies of the group's own between its calls.
    CopyStream stream() {
        return stream;
    }

    NcclDevice device() {
        return device;
    }

    Membership membership() {
        return membership;
    }

    /// Waits until the last call has done what it does on the host.
    private void settle(String call, String what, Duration limit) {
        int[] error = {Nccl.NCCL_IN_PROGRESS};
        await(() -> {
            status.check("ncclCommGetAsyncError", nccl.ncclCommGetAsyncError(comm, error), comm);
            status.check(call, error[0], comm);
            return error[0] == Nccl.NCCL_SUCCESS;
        }, new Watch(what, limit));
    }

    private void await(BooleanSupplier over, Watch waiting) {
        while (!over.getAsBoolean()) {
            waiting.look();
            if (System.nanoTime() - waiting.start < BUSY_NANOS) {
                Thread.onSpinWait();
            } else {
                LockSupport.parkNanos(PAUSE_NANOS);
            }
        }
    }

    /// One wait: looks now and then whether the other ranks have failed, and how long it has lasted.
    private final class Watch {
        private final String what;
        private final long limit;
        private final long start = System.nanoTime();
        private long nextLook = start;

        Watch(String what, Duration limit) {
            this.what = what;
            this.limit = limit.toNanos();
        }

        /// @throws GroupException if nothing is to be waited for any more
        void look() {
            long now = System.nanoTime();
            if (now - nextLook >= 0) {
                watch.run();
                nextLook = now + LOOK_NANOS;
            }
            if (now - start >= limit) {
                throw new GroupException(what + " within " + TimeUnit.NANOSECONDS.toMillis(limit) / 1e3
                        + " s; a rank may have died (" + membership.transport() + " does not tell which)",
                        Where.nowhere());
            }
        }
    }

    /// Frees the communicator and its stream: after its work if the group worked to its end, else at once, whatever is
    /// under way.
    void close(boolean whole) {
        try {
            if (comm != 0 && !(whole && sayGoodbye())) {
                abort();
            }
        } finally {
            stream.close();
        }
    }

    /// Ends what is queued, whatever it waits for.
    void abort() {
        if (comm != 0) {
            release("ncclCommAbort", nccl::ncclCommAbort);
        }
    }

    /// Frees the communicator after its work; tells whether it did.
    private boolean sayGoodbye() {
        try {
            status.check("ncclCommFinalize", device.current(() -> nccl.ncclCommFinalize(comm)), comm);
            long end = System.nanoTime() + GOODBYE.toNanos();
            int[] error = {Nccl.NCCL_IN_PROGRESS};
            while (error[0] == Nccl.NCCL_IN_PROGRESS && System.nanoTime() - end < 0) {
                status.check("ncclCommGetAsyncError", nccl.ncclCommGetAsyncError(comm, error), comm);
                LockSupport.parkNanos(PAUSE_NANOS);
            }
            if (error[0] != Nccl.NCCL_SUCCESS) {
                return false;
            }
        } catch (RuntimeException e) {
            abort();
            throw e;
        }
        release("ncclCommDestroy", nccl::ncclCommDestroy);
        return true;
    }

    private void release(String call, LongToIntFunction function) {
        long released = comm;
        comm = 0;
        status.check(call, device.current(() -> function.applyAsInt(released)));
    }
}
