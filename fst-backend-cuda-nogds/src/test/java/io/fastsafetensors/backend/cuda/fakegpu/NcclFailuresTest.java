package io.fastsafetensors.backend.cuda.fakegpu;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.backend.cuda.CudaBackendProvider;
import io.fastsafetensors.backend.cuda.NcclProvider;
import io.fastsafetensors.error.GroupException;
import io.fastsafetensors.group.Bootstrap;
import io.fastsafetensors.group.PendingCollective;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.group.RankSlice;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.test.gpu.FakeGpu;
import io.fastsafetensors.types.Device;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Failures of NCCL, seen from the ranks and from the driver's account of what is open.
@OnFakeGpu
@Timeout(600)
class NcclFailuresTest {
    private static final Duration PATIENT = Duration.ofSeconds(60);
    private static final Duration SHORT = Duration.ofSeconds(2);
    private static final int SYSTEM_ERROR = 2;
    private static FakeGpu gpu;
    private long before;

    @BeforeAll
    static void load() {
        gpu = TheGpu.load();
        assertEquals(Optional.empty(), new NcclProvider().unavailable());
    }

    @BeforeEach
    void count() {
        gpu.reset();
        before = gpu.count("all");
    }

    @AfterEach
    void nothingIsLeft() {
        gpu.reset();
        assertEquals(0, gpu.count("communicators"));
        assertEquals(before, gpu.count("all"));
    }

    private interface Work {
        void run(ProcessGroup group, CopyStream stream, DeviceBuffer buffer);
    }

    /// What each of two ranks threw; empty if nothing.
    private static List<Optional<Throwable>> ranks(Duration timeout, Work work) {
        List<ProcessGroup> groups;
        try {
            groups = new NcclProvider().local(List.of(new Device("cuda", 0), new Device("cuda", 1)), timeout);
        } catch (GroupException e) {
            return List.of(Optional.of(e), Optional.of(e));
        }
        List<Optional<Throwable>> ends = new ArrayList<>(Collections.nCopies(2, Optional.empty()));
        List<Thread> threads = groups.stream().map(group -> Thread.ofPlatform().start(() -> {
            try (Backend backend = new CudaBackendProvider().open(new Device("cuda", group.rank()),
                    BackendOptions.defaults()); CopyStream stream = backend.openCopyStream();
                    DeviceBuffer buffer = backend.allocate(1000, 256); group) {
                work.run(group, stream, buffer);
            } catch (RuntimeException | Error e) {
                ends.set(group.rank(), Optional.of(e));
            }
        })).toList();
        for (Thread thread : threads) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        }
        return ends;
    }

    private static void everything(ProcessGroup group, CopyStream stream, DeviceBuffer buffer) {
        BufferSlice slice = BufferSlice.of(buffer);
        BufferSlice part = slice.part(group.rank() * 500L, 500);
        group.broadcast(slice, 0, stream);
        group.allGather(part, slice, stream);
        group.scatter(group.rank() == 0 ? List.of(slice.part(0, 100), slice.part(100, 300)) : List.of(),
                slice.part(500, group.rank() == 0 ? 100 : 300), 0, stream);
        if (group.rank() == 0) {
            group.send(slice, 1, stream);
        } else {
            group.receive(slice, 0, stream);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"ncclGetUniqueId", "ncclCommInitRankConfig", "ncclCommGetAsyncError", "ncclBroadcast",
        "ncclAllGather", "ncclSend", "ncclRecv", "ncclGroupStart", "ncclGroupEnd", "ncclCommFinalize",
        "ncclCommDestroy"})
    void whichever_call_fails_the_ranks_hear_of_it_and_nothing_is_left(String function) {
        assertEquals(List.of(Optional.empty(), Optional.empty()), ranks(PATIENT, NcclFailuresTest::everything));
        long calls = Math.min(4, gpu.calls(function));
        assertTrue(calls > 0, function + " was never called");
        for (long nth = 1; nth <= calls; nth++) {
            gpu.reset();
            gpu.fail(function, nth, SYSTEM_ERROR);
            List<Throwable> thrown = ranks(PATIENT, NcclFailuresTest::everything).stream().flatMap(Optional::stream)
                    .toList();
            String what = "call " + nth + " of " + function + ": " + thrown;
            assertTrue(thrown.stream().anyMatch(e -> e.getMessage()
                    .contains("libnccl.so.2: " + function + " failed with 2 (a scripted failure")), what);
            assertEquals(0, gpu.count("communicators"), what);
            assertEquals(before, gpu.count("all"), what);
        }
    }

    @Test
    void an_error_of_the_communicator_ends_a_wait_long_before_the_timeout() {
        List<Optional<Throwable>> ends = ranks(Duration.ofHours(1), (group, stream, buffer) -> {
            group.barrier();
            if (group.rank() == 0) {
                gpu.hold(true);
                gpu.fail("ncclCommGetAsyncError", 20, SYSTEM_ERROR);
            }
            group.barrier();
            try {
                group.broadcast(BufferSlice.of(buffer), 0, stream);
            } finally {
                gpu.hold(false);
            }
        });
        Throwable failure = ends.stream().flatMap(Optional::stream).findFirst().orElseThrow();
        assertInstanceOf(GroupException.class, failure);
        assertTrue(failure.getMessage().contains("ncclCommGetAsyncError failed with 2"), failure.getMessage());
    }

    @Test
    void work_that_never_ends_is_aborted_after_the_timeout() {
        CyclicBarrier both = new CyclicBarrier(2);
        List<Optional<Throwable>> ends = ranks(SHORT, (group, stream, buffer) -> {
            group.barrier();
            gpu.hold(true);
            try {
                GroupException e = assertThrows(GroupException.class,
                        () -> group.broadcast(BufferSlice.of(buffer), 0, stream));
                assertTrue(e.getMessage().contains("did not end within 2.0 s")
                        || e.getMessage().contains("failed: "), e.getMessage());
            } finally {
                // What one lets go of, the other one's work goes on with.
                assertDoesNotThrow(() -> both.await(1, TimeUnit.MINUTES));
                gpu.hold(false);
            }
        });
        assertEquals(List.of(Optional.empty(), Optional.empty()), ends);
    }

    @Test
    void processes_meet_in_a_shared_directory(@TempDir Path folder) throws Exception {
        assertEquals(List.of(), processes(Map.of("FST_GROUP_DIR", folder.toString())));
    }

    @Test
    void processes_meet_next_to_the_launchers_address_by_the_librarys_own_rendezvous() throws Exception {
        Map<String, String> launcher = Map.of("MASTER_ADDR", "10.0.0.1", "MASTER_PORT", "29500");
        assertEquals(List.of(), processes(launcher));
        // The variable is gone: a group of threads would else get an id of processes.
        assertEquals(List.of(Optional.empty(), Optional.empty()), ranks(PATIENT, NcclFailuresTest::everything));
        assertEquals(List.of(), processes(Map.of("NCCL_COMM_ID", "10.0.0.1:29501")));
    }

    private static List<Throwable> processes(Map<String, String> rendezvous) throws InterruptedException {
        List<Throwable> failures = Collections.synchronizedList(new ArrayList<>());
        List<Thread> ranks = new ArrayList<>();
        for (int r = 0; r < 2; r++) {
            Bootstrap bootstrap = bootstrap(r, 2, PATIENT, rendezvous);
            ranks.add(Thread.ofPlatform().start(() -> {
                try (Backend backend = new CudaBackendProvider().open(bootstrap.device(), BackendOptions.defaults());
                        CopyStream stream = backend.openCopyStream(); DeviceBuffer buffer = backend.allocate(1000, 256);
                        ProcessGroup group = new NcclProvider().join(bootstrap)) {
                    everything(group, stream, buffer);
                    for (int length : new int[] {1, 1020, 1021, 70_000}) {
                        byte[] mine = new byte[length - group.rank()];
                        Arrays.fill(mine, (byte) (length + group.rank()));
                        List<byte[]> all = group.exchange(mine);
                        for (int from = 0; from < 2; from++) {
                            assertEquals(length - from, all.get(from).length);
                            assertTrue(from == length || all.get(from).length == 0
                                    || all.get(from)[length - from - 1] == (byte) (length + from));
                        }
                    }
                    group.barrier();
                } catch (RuntimeException | Error e) {
                    failures.add(e);
                }
            }));
        }
        for (Thread rank : ranks) {
            rank.join();
        }
        return failures;
    }

    @ParameterizedTest
    @ValueSource(strings = {"ncclBroadcast", "ncclGroupEnd", "ncclCommGetAsyncError"})
    void pieces_that_fail_are_an_error_for_all_and_leave_nothing(String function) {
        for (long nth = 1; nth <= 2; nth++) {
            gpu.reset();
            gpu.fail(function, nth + (function.equals("ncclCommGetAsyncError") ? 8 : 0), SYSTEM_ERROR);
            List<Throwable> thrown = ranks(PATIENT, (group, stream, buffer) -> {
                BufferSlice slice = BufferSlice.of(buffer);
                try (PendingCollective all = group.allGather(List.of(new RankSlice(0, slice.part(0, 300)),
                        new RankSlice(1, slice.part(300, 700))), stream)) {
                    all.await();
                }
                group.barrier();
            }).stream().flatMap(Optional::stream).toList();
            assertTrue(thrown.stream().anyMatch(e -> e.getMessage().contains(function + " failed with 2")),
                    "call " + nth + ": " + thrown);
            assertEquals(0, gpu.count("communicators"));
            assertEquals(before, gpu.count("all"));
        }
    }

    @Test
    void pieces_that_never_end_are_aborted_after_the_timeout_and_are_not_there() {
        CyclicBarrier both = new CyclicBarrier(2);
        List<Optional<Throwable>> ends = ranks(SHORT, (group, stream, buffer) -> {
            group.barrier();
            gpu.hold(true);
            BufferSlice slice = BufferSlice.of(buffer);
            try (PendingCollective all = group.allGather(
                    List.of(new RankSlice(0, slice.part(0, 300)), new RankSlice(1, slice.part(300, 700))), stream)) {
                assertThrows(GroupException.class, all::await);
                assertDoesNotThrow(() -> both.await(1, TimeUnit.MINUTES));
                gpu.hold(false);
                stream.synchronize();
                assertThrows(GroupException.class, all::isDone);
            } catch (GroupException e) {
                // The other one was first to give up.
                assertDoesNotThrow(() -> both.await(1, TimeUnit.MINUTES));
            } finally {
                gpu.hold(false);
            }
        });
        assertEquals(List.of(Optional.empty(), Optional.empty()), ends);
    }

    @Test
    void one_device_for_two_ranks_is_refused_in_plain_words() {
        GroupException e = assertThrows(GroupException.class, () -> new NcclProvider()
                .local(List.of(new Device("cuda", 0), new Device("cuda", 1), new Device("cuda", 0)), PATIENT));
        assertEquals("ranks 0 and 2 have the same device, cuda:0; nccl needs one for each rank", e.getMessage());
        assertEquals(0, gpu.calls("ncclCommInitRankConfig"));
    }

    @Test
    void a_process_that_does_not_come_to_the_directory_is_named(@TempDir Path folder) {
        Bootstrap bootstrap = bootstrap(0, 3, SHORT, Map.of("FST_GROUP_DIR", folder.toString()));
        GroupException e = assertThrows(GroupException.class, () -> new NcclProvider().join(bootstrap));
        assertEquals("joining the group: ranks 1, 2 did not come within 2.0 s", e.getMessage());
    }

    @Test
    void without_a_way_to_meet_the_error_names_each() {
        Bootstrap bootstrap = bootstrap(0, 2, SHORT, Map.of());
        GroupException e = assertThrows(GroupException.class, () -> new NcclProvider().join(bootstrap));
        assertTrue(e.getMessage().contains("NCCL_COMM_ID") && e.getMessage().contains("MASTER_ADDR")
                && e.getMessage().contains("FST_GROUP_DIR"), e.getMessage());
    }

    @Test
    void a_process_of_its_own_exchanges_with_itself_through_the_device() {
        try (ProcessGroup group = new NcclProvider().join(bootstrap(0, 1, PATIENT, Map.of()))) {
            assertEquals(5, group.exchange(new byte[] {5}).getFirst()[0]);
            assertEquals(0, group.exchange(new byte[0]).getFirst().length);
            group.barrier();
        }
    }

    @Test
    void ranks_that_never_meet_end_with_the_timeout() {
        // The environment's rendezvous, which the fake lacks: each process gets an id of its own.
        Bootstrap bootstrap = bootstrap(0, 2, SHORT, Map.of("NCCL_COMM_ID", "localhost:1"));
        GroupException e = assertThrows(GroupException.class, () -> new NcclProvider().join(bootstrap));
        assertTrue(e.getMessage().contains("the ranks did not meet within 2.0 s"), e.getMessage());
    }

    @Test
    void an_absent_device_is_an_error_and_the_other_rank_does_not_wait() {
        GroupException e = assertThrows(GroupException.class,
                () -> new NcclProvider().local(List.of(new Device("cuda", 0), new Device("cuda", 7)), PATIENT));
        assertTrue(e.getMessage().contains("no device cuda:7"), e.getMessage());
    }

    private static Bootstrap bootstrap(int rank, int size, Duration timeout, Map<String, String> properties) {
        return new Bootstrap(rank, size, rank, new Device("cuda", rank % 2), timeout, properties);
    }
}
