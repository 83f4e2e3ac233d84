package io.fastsafetensors.backend.cpu.mpi;

import java.lang.foreign.MemorySegment;

/// An operation that the library runs in the background. Used under one group's lock at a time.
final class MpiRequest {
    /// The peer of what all ranks do together.
    static final int EVERYBODY = -1;

    private final MpiCalls calls;
    private final long[] handle = new long[1];
    private final int[] flag = new int[1];
    private final Kind kind;
    private final int peer;
    private final MemorySegment memory;
    private boolean ended;

    enum Kind {
        /// Can be given up.
        RECEIVE,
        /// Of memory that is copied, ours, so that it may end whenever it will.
        SEND_OURS,
        /// Of another owner's memory.
        OTHER
    }

    interface Start {
        void start(long[] handle);
    }

    /// @param peer the other rank, or [#EVERYBODY]
    /// @param memory stays reachable until the request has ended
    MpiRequest(MpiCalls calls, int peer, Kind kind, MemorySegment memory, Start start) {
        this.calls = calls;
        this.peer = peer;
        this.kind = kind;
        this.memory = memory;
        start.start(handle);
    }

    /// Whether it has ended; lets all requests of the process make progress.
    boolean hasEnded() {
        if (!ended) {
            flag[0] = 0;
            calls.run("MPI_Test", mpi -> mpi.MPI_Test(handle, flag));
            ended = flag[0] != 0;
        }
        return ended;
    }

    /// The other rank, or [#EVERYBODY].
    int peer() {
        return peer;
    }

    /// Gives it up.
    ///
    /// @return whether it has ended thereby, or before
    boolean giveUp() {
        if (!hasEnded() && kind == Kind.RECEIVE) {
            calls.run("MPI_Cancel", mpi -> mpi.MPI_Cancel(handle));
        }
        return hasEnded();
    }

    /// Whether it must have ended before its memory may be freed.
    boolean isOfOthersMemory() {
        return kind != Kind.SEND_OURS;
    }

    /// What was received.
    MemorySegment received() {
        return memory;
    }
}
