package io.fastsafetensors.backend.cpu.mpi;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.backend.cpu.CpuBackendProvider;
import io.fastsafetensors.backend.cpu.mpi.ffm.Mpi;
import io.fastsafetensors.error.GroupException;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.types.Device;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Groups, and the library in the process, when the library says no.
@Timeout(600)
@Tag("native")
class MpiFailuresTest {
    private static final Duration SHORT = Duration.ofSeconds(1);
    private static final Duration LONG = Duration.ofSeconds(60);
    private static final int REFUSED = 16;

    @ParameterizedTest
    @ValueSource(strings = {"MPI_Finalized", "MPI_Initialized", "MPI_Init_thread", "MPI_Comm_set_errhandler",
        "MPI_Comm_rank", "MPI_Comm_size", "MPI_Isend", "MPI_Irecv", "MPI_Ibcast", "MPI_Comm_idup", "MPI_Test"})
    @Tag("slow")
    void whichever_call_fails_both_ranks_end_with_an_error(String function) throws Exception {
        boolean failed = false;
        for (int nth = 1; nth <= 4; nth++) {
            FakeRanks ranks = new FakeRanks(2);
            ranks.library(0).fail(function, nth, REFUSED);
            List<Optional<GroupException>> ends = FakeRanks.together(2, rank -> session(ranks, rank));
            boolean reached = ranks.library(0).calls(function) >= nth;
            assertEquals(reached, ends.get(0).isPresent(), function + " " + nth);
            ends.get(0).ifPresent(e -> assertTrue(e.getMessage().contains(
                    "libmpi: " + function + " failed with 16 (MPI_ERR_16: scripted)"), e.getMessage()));
            assertTrue(!reached || ends.get(1).isPresent(),
                    "the other rank noticed nothing of " + function + " " + nth);
            failed |= reached;
        }
        assertTrue(failed, function + " was never called");
    }

    private static Optional<GroupException> session(FakeRanks ranks, int rank) {
        try (Backend backend = new CpuBackendProvider().open(Device.CPU, BackendOptions.defaults());
                ProcessGroup group = ranks.join(rank, SHORT); CopyStream stream = backend.openCopyStream();
                DeviceBuffer buffer = backend.allocate(100, 64)) {
            BufferSlice slice = BufferSlice.of(buffer);
            group.broadcast(slice, 0, stream);
            group.allGather(slice.part(rank * 50L, 50), slice, stream);
            group.exchange(new byte[1000]);
            if (rank == 0) {
                group.send(slice, 1, stream);
            } else {
                group.receive(slice, 0, stream);
            }
            return Optional.empty();
        } catch (GroupException e) {
            return Optional.of(e);
        }
    }

    @Test
    void a_rank_that_never_joins_is_named() {
        FakeRanks ranks = new FakeRanks(3);
        GroupException e = assertThrows(GroupException.class, () -> ranks.join(0, SHORT));
        assertEquals("joining the group: ranks 1, 2 did not come within 1.0 s", e.getMessage());
        assertTrue(ranks.process(0).end(), "the ranks can still end the library together");
    }

    @Test
    void the_library_is_started_once_and_ended_once_when_all_groups_are_closed() {
        FakeRanks ranks = new FakeRanks(1);
        ProcessGroup one = ranks.join(0, LONG);
        ProcessGroup two = ranks.join(0, LONG);
        one.close();
        assertFalse(ranks.process(0).end());
        two.close();
        assertTrue(ranks.process(0).end());
        assertEquals(1, ranks.library(0).calls("MPI_Init_thread"));
        assertEquals(1, ranks.library(0).calls("MPI_Finalize"));
    }

    @Test
    void a_library_that_others_started_is_left_to_them() {
        FakeRanks ranks = new FakeRanks(1);
        ranks.library(0).initialized = true;
        ranks.join(0, LONG).close();
        assertFalse(ranks.process(0).end());
        assertEquals(0, ranks.library(0).calls("MPI_Init_thread"));
        assertEquals(0, ranks.library(0).calls("MPI_Finalize"));
    }

    @Test
    void a_library_that_others_started_for_one_thread_is_refused() {
        FakeRanks ranks = new FakeRanks(1);
        ranks.library(0).initialized = true;
        ranks.library(0).granted = Mpi.MPI_THREAD_SERIALIZED;
        assertRefused("MPI_THREAD_MULTIPLE", ranks);
    }

    @Test
    void a_library_for_one_thread_only_is_refused() {
        FakeRanks ranks = new FakeRanks(1);
        ranks.library(0).granted = 1;
        assertRefused("only the thread that started it (level 1)", ranks);
    }

    @Test
    void a_library_that_is_ended_is_refused() {
        FakeRanks ranks = new FakeRanks(1);
        ranks.library(0).finalized = true;
        assertRefused("MPI was ended in this process", ranks);
    }

    @Test
    void a_start_that_hangs_ends_with_the_timeout() {
        FakeRanks ranks = new FakeRanks(1);
        ranks.library(0).hangs = true;
        try {
            assertRefused("MPI_Init_thread did not return", ranks);
        } finally {
            ranks.library(0).hangs = false;
        }
    }

    private static void assertRefused(String why, FakeRanks ranks) {
        GroupException e = assertThrows(GroupException.class, () -> ranks.join(0, SHORT));
        assertTrue(e.getMessage().contains(why), e.getMessage());
    }

    @Test
    void another_place_than_mpi_says_is_refused() {
        FakeRanks ranks = new FakeRanks(1);
        MpiProvider provider = new MpiProvider(() -> new MpiProvider.Installation(ranks.process(0), null));
        GroupException e = assertThrows(GroupException.class, () -> provider.join(FakeRanks.bootstrap(1, 2, SHORT)));
        assertEquals("MPI started this process as rank 0 of 1, and it was told to be rank 1 of 2; start it with mpirun"
                + " or srun", e.getMessage());
    }

    @ParameterizedTest
    @ValueSource(strings = {"MPICH Version: 4.2.0", "Open MPI v3.1.6, package: x", "", "Intel(R) MPI Library 2021.9"})
    void another_library_is_refused(String version) {
        FakeMpi library = new FakeMpi(new FakeMpi.World(1), 0);
        library.version = version;
        MpiProvider provider = new MpiProvider(() -> MpiProvider.Installation.find(() -> library));
        assertEquals("libmpi is " + version + "; Open MPI 4 or 5 is needed", provider.unavailable().orElseThrow());
        assertThrows(UnsupportedFeatureException.class, () -> provider.join(FakeRanks.bootstrap(0, 1, SHORT)));
    }

    @Test
    void a_missing_library_or_function_is_a_reason() {
        for (Throwable failure : new Throwable[] {
            new ExceptionInInitializerError(
                    new UnsupportedFeatureException("native library not found; tried libmpi.so.40",
                            Where.nowhere())),
            new NoClassDefFoundError("libmpi.so.40 again"), new IllegalCallerException("libmpi.so.40 denied")}) {
            MpiProvider provider = new MpiProvider(() -> MpiProvider.Installation.find(() -> {
                throw MpiFailuresTest.<RuntimeException>sneaky(failure);
            }));
            String reason = provider.unavailable().orElseThrow();
            assertTrue(reason.contains("libmpi.so.40") && reason.endsWith("; Open MPI 4 or 5 is needed"), reason);
        }
    }

    @SuppressWarnings("unchecked")
    private static <E extends Throwable> E sneaky(Throwable failure) throws E {
        throw (E) failure;
    }

    @Test
    void the_library_is_not_called_any_more_when_it_keeps_somebodys_memory() throws Exception {
        FakeRanks ranks = new FakeRanks(2);
        List<ProcessGroup> groups = ranks.join(SHORT);
        FakeRanks.together(2, rank -> {
            try (Backend backend = new CpuBackendProvider().open(Device.CPU, BackendOptions.defaults());
                    CopyStream stream = backend.openCopyStream(); DeviceBuffer buffer = backend.allocate(100, 64);
                    ProcessGroup group = groups.get(rank)) {
                if (rank == 0) {
                    ranks.library(0).fail("MPI_Ibcast", 1, REFUSED);
                }
                return assertThrows(GroupException.class,
                        () -> group.broadcast(BufferSlice.of(buffer), 0, stream));
            }
        });
        GroupException e = assertThrows(GroupException.class, () -> ranks.join(1, SHORT));
        assertTrue(e.getMessage().contains("uses MPI no more"), e.getMessage());
        assertFalse(ranks.process(1).end());
        assertTrue(ranks.process(0).end(), "rank 0 had begun nothing");
    }
}
