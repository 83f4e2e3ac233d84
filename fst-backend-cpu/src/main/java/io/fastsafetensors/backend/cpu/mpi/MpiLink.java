package io.fastsafetensors.backend.cpu.mpi;

import io.fastsafetensors.error.GroupException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.group.transport.GroupState;
import io.fastsafetensors.group.transport.Membership;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// One group's communicator: begins requests and waits for them, until the deadline or another rank's farewell.
final class MpiLink {
    private static final long LOOK_FOR_FAREWELLS_NANOS = 1_000_000;
    private static final long GIVE_UP_NANOS = 100_000_000;

    private final MpiProcess process;
    private final MpiCalls calls;
    private final long comm;
    private final Membership membership;
    private final GroupState state;
    private final List<MpiRequest> underWay = new ArrayList<>();
    private @Nullable Farewells farewells;

    MpiLink(MpiProcess process, long comm, Membership membership, GroupState state) {
        this.process = process;
        this.calls = process.calls();
        this.comm = comm;
        this.membership = membership;
        this.state = state;
    }

    Membership membership() {
        return membership;
    }

    /// Who tells that a rank has left, asked while this rank waits.
    void listen(@Nullable Farewells to) {
        farewells = to;
    }

    /// Memory that lives as long as it is referred to.
    static MemorySegment memory(long bytes) {
        return Arena.ofAuto().allocate(bytes, Long.BYTES);
    }

    /// Sends memory of another owner, who waits for it.
    MpiRequest send(MemorySegment memory, int to, int tag) {
        return send(memory, to, tag, MpiRequest.Kind.OTHER);
    }

    /// Sends memory that was made by [#memory] and is not written to any more.
    MpiRequest sendOurs(MemorySegment memory, int to, int tag) {
        return send(memory, to, tag, MpiRequest.Kind.SEND_OURS);
    }

    private MpiRequest send(MemorySegment memory, int to, int tag, MpiRequest.Kind kind) {
        return begin(to, kind, memory, request -> calls.run("MPI_Isend",
                mpi -> mpi.MPI_Isend(memory.address(), (int) memory.byteSize(), to, tag, comm, request)));
    }

    MpiRequest receive(MemorySegment memory, int from, int tag) {
        return begin(from, MpiRequest.Kind.RECEIVE, memory, request -> calls.run("MPI_Irecv",
                mpi -> mpi.MPI_Irecv(memory.address(), (int) memory.byteSize(), from, tag, comm, request)));
    }

    MpiRequest broadcast(MemorySegment memory, int root) {
        return begin(MpiRequest.EVERYBODY, MpiRequest.Kind.OTHER, memory, request -> calls.run("MPI_Ibcast",
                mpi -> mpi.MPI_Ibcast(memory.address(), (int) memory.byteSize(), root, comm, request)));
    }

    /// @param created gets the handle of the new communicator
    MpiRequest duplicate(MemorySegment created) {
        return begin(MpiRequest.EVERYBODY, MpiRequest.Kind.OTHER, created, request -> calls.run("MPI_Comm_idup",
                mpi -> mpi.MPI_Comm_idup(comm, created, request)));
    }

    private MpiRequest begin(int peer, MpiRequest.Kind kind, MemorySegment memory, MpiRequest.Start start) {
        process.requireUsable();
        MpiRequest request = new MpiRequest(calls, peer, kind, memory, start);
        underWay.add(request);
        return request;
    }

    /// Waits until all have ended.
    ///
    /// @param late the failure's text if they do not in time
    void await(List<MpiRequest> requests, Patience patience, Supplier<String> late) {
        long start = System.nanoTime();
        long nextLook = start;
        for (MpiRequest request : requests) {
            while (!hasEnded(request)) {
                long now = System.nanoTime();
                if (now - nextLook >= 0) {
                    state.requireWhole();
                    requireComing(request);
                    nextLook = now + LOOK_FOR_FAREWELLS_NANOS;
                }
                if (now - start >= membership.timeout().toNanos()) {
                    throw new GroupException(late.get() + " " + membership.withinTimeout(), Where.nowhere());
                }
                patience.pause(now - start);
            }
            underWay.remove(request);
        }
    }

    private boolean hasEnded(MpiRequest request) {
        process.requireUsable();
        return request.hasEnded();
    }

    private void requireComing(MpiRequest request) {
        Farewells listening = farewells;
        if (listening != null) {
            listening.requireComing(request);
        }
    }

    /// Gives up what is under way. Memory of others that the library does not release makes it unusable for this
    /// process: any later call might touch it when its owner has freed it.
    void close() {
        long end = System.nanoTime() + GIVE_UP_NANOS;
        while (!underWay.isEmpty() && process.isUsable() && System.nanoTime() - end < 0) {
            underWay.removeIf(MpiRequest::giveUp);
        }
        process.keep(underWay);
        if (underWay.stream().anyMatch(MpiRequest::isOfOthersMemory)) {
            process.retire("a transfer of a broken group never ended");
        }
    }
}
