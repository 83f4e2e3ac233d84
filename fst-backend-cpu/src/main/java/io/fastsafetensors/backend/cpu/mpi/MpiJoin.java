package io.fastsafetensors.backend.cpu.mpi;

import io.fastsafetensors.error.GroupException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.group.Bootstrap;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.group.transport.GroupState;
import io.fastsafetensors.group.transport.Membership;
import io.fastsafetensors.group.transport.TransportGroup;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.BitSet;
import java.util.List;

/// Makes groups of all processes that were started together, each with a communicator of its own.
///
/// Communicators are freed when the library ends: a late message of an old group must not reach a new one that got the
/// same number.
final class MpiJoin {
    private static final byte[] HELLO = "fst".getBytes(StandardCharsets.US_ASCII);

    private final MpiProcess process;
    private final MpiCalls calls;

    MpiJoin(MpiProcess process) {
        this.process = process;
        this.calls = process.calls();
    }

    ProcessGroup join(Bootstrap bootstrap) {
        try {
            process.enter(bootstrap.timeout());
            return joinStarted(bootstrap);
        } catch (GroupException e) {
            throw e;
        } catch (RuntimeException e) {
            throw new GroupException(String.valueOf(e.getMessage()), Where.nowhere(), e);
        }
    }

    private ProcessGroup joinStarted(Bootstrap bootstrap) {
        Membership membership = Membership.of(MpiProvider.NAME, bootstrap, "cpu");
        MpiLink link = null;
        try {
            requireSame(bootstrap);
            GroupState state = new GroupState();
            link = new MpiLink(process, duplicate(membership), membership, state);
            MpiMover mover = new MpiMover(link, process::leave);
            return new TransportGroup(membership, state, new MpiControl(link), mover);
        } catch (RuntimeException e) {
            if (link != null) {
                link.close();
            }
            process.leave();
            throw e;
        }
    }

    private void requireSame(Bootstrap bootstrap) {
        long world = calls.world();
        int rank = calls.number("MPI_Comm_rank", (mpi, value) -> mpi.MPI_Comm_rank(world, value));
        int size = calls.number("MPI_Comm_size", (mpi, value) -> mpi.MPI_Comm_size(world, value));
        if (rank != bootstrap.rank() || size != bootstrap.size()) {
            throw new GroupException("MPI started this process as rank " + rank + " of " + size
                    + ", and it was told to be rank " + bootstrap.rank() + " of " + bootstrap.size()
                    + (size == 1 ? "; start it with mpirun or srun" : "; do other variables than MPI's say so?"),
                    Where.nowhere());
        }
    }

    /// First the ranks greet each other one by one, which tells who is missing.
    private long duplicate(Membership membership) {
        long world = calls.world();
        GroupState state = new GroupState();
        MpiLink greeting = new MpiLink(process, world, membership, state);
        try {
            BitSet everybody = new BitSet();
            everybody.set(0, membership.size());
            MpiControl.withoutFarewells(greeting).meet("joining the group", HELLO, everybody);
            MemorySegment created = MpiLink.memory(Long.BYTES);
            MpiRequest request = greeting.duplicate(created);
            greeting.await(List.of(request), Patience.CONTROL, () -> "MPI_Comm_idup did not end");
            long comm = created.get(ValueLayout.JAVA_LONG, 0);
            calls.run("MPI_Comm_set_errhandler",
                    mpi -> mpi.MPI_Comm_set_errhandler(comm, mpi.MPI_ERRORS_RETURN()));
            return comm;
        } finally {
            greeting.close();
        }
    }
}
