package io.fastsafetensors.tests.load;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.backend.cpu.CpuBackendProvider;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.FstException;
import io.fastsafetensors.error.GroupException;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.group.Bootstrap;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.group.ProcessGroups;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.test.Prerequisite;
import io.fastsafetensors.testkit.fault.FaultPlan;
import io.fastsafetensors.testkit.fault.OpenObjects;
import io.fastsafetensors.testkit.fault.Operation;
import io.fastsafetensors.testkit.leak.LeakExtension;
import io.fastsafetensors.types.Device;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Groups of threads: every collective, on memory that the host can address and on memory that it cannot.
@Timeout(600)
class LocalGroupTest {
    private static final long SEED = Long.getLong("fst.seed", 20261123);
    private static final int[] SIZES = {0, 1, 4096, 70_001, (8 << 20) + 13};
    /// What the C library keeps of freed buffers of many threads.
    private static final long KEPT_BY_THE_C_LIBRARY = 400L << 20;
    private static final Duration SHORT = Duration.ofSeconds(1);

    @RegisterExtension
    final LeakExtension leaks = LeakExtension.strict().memoryTolerance(KEPT_BY_THE_C_LIBRARY);
    private OpenObjects objects = new OpenObjects();

    @BeforeEach
    void wellBehaved() {
        objects = RemoteProvider.behave(FaultPlan.seeded(SEED));
    }

    @AfterEach
    void nothingIsLeft() {
        assertEquals(Map.of(), objects.counts(), () -> objects.describe());
    }

    /// The possessions of a rank: a device, a stream, and memory with known bytes.
    private static final class Desk implements AutoCloseable {
        private final Backend backend;
        private final CopyStream stream;
        private final List<DeviceBuffer> buffers = new ArrayList<>();

        Desk(String device) {
            BackendProvider provider = device.equals("cpu") ? new CpuBackendProvider() : new RemoteProvider();
            backend = provider.open(device.equals("cpu") ? Device.CPU : RemoteProvider.DEVICE,
                    BackendOptions.defaults());
            stream = backend.openCopyStream();
        }

        BufferSlice of(byte[] bytes) {
            DeviceBuffer buffer = backend.allocate(bytes.length + 32L, 256);
            buffers.add(buffer);
            try (Arena arena = Arena.ofShared()) {
                MemorySegment source = arena.allocate(Math.max(1, bytes.length)).asSlice(0, bytes.length);
                source.copyFrom(MemorySegment.ofArray(bytes));
                stream.copyToDevice(source, buffer, 16);
                stream.synchronize();
            }
            return new BufferSlice(buffer, 16, bytes.length);
        }

        byte[] read(BufferSlice slice) {
            try (Arena arena = Arena.ofShared()) {
                MemorySegment copy = arena.allocate(Math.max(1, slice.byteSize())).asSlice(0, slice.byteSize());
                stream.copyToHost(slice.buffer(), slice.offset(), copy);
                stream.synchronize();
                return copy.toArray(ValueLayout.JAVA_BYTE);
            }
        }

        @Override
        public void close() {
            stream.close();
            buffers.forEach(DeviceBuffer::close);
            backend.close();
        }
    }

    private static byte[] bytes(int of, int length) {
        byte[] bytes = new byte[length];
        new Random(SEED + of).nextBytes(bytes);
        return bytes;
    }

    /// The device of each rank: all near, all far, or both kinds in one group.
    private static String device(String kind, int rank) {
        return kind.equals("mixed") ? rank % 2 == 0 ? "remote" : "cpu" : kind;
    }

    static Stream<Arguments> groups() {
        return Stream.of("cpu", "remote", "mixed")
                .flatMap(kind -> Stream.of(1, 2, 3, 4, 7).map(size -> Arguments.of(kind, size)));
    }

    @ParameterizedTest
    @MethodSource("groups")
    @Tag("slow")
    void every_collective_moves_the_right_bytes(String kind, int size) {
        Ranks.all(size, group -> {
            try (Desk desk = new Desk(device(kind, group.rank()))) {
                for (int length : SIZES) {
                    if (length < 1 << 20 || size < 4) {
                        broadcasts(group, desk, length);
                        gathers(group, desk, length);
                        transfers(group, desk, length);
                    }
                }
                scatters(group, desk);
                group.barrier();
                return true;
            }
        });
    }

    private static void broadcasts(ProcessGroup group, Desk desk, int length) {
        for (int root = 0; root < group.size(); root++) {
            BufferSlice slice = desk.of(bytes(group.rank(), length));
            group.broadcast(slice, root, desk.stream);
            assertArrayEquals(bytes(root, length), desk.read(slice));
        }
    }

    private static void gathers(ProcessGroup group, Desk desk, int length) {
        byte[] expected = new byte[length * group.size()];
        for (int r = 0; r < group.size(); r++) {
            System.arraycopy(bytes(r, length), 0, expected, r * length, length);
        }
        BufferSlice all = desk.of(new byte[expected.length]);
        group.allGather(desk.of(bytes(group.rank(), length)), all, desk.stream);
        assertArrayEquals(expected, desk.read(all));
        byte[] mine = new byte[expected.length];
        System.arraycopy(expected, group.rank() * length, mine, group.rank() * length, length);
        BufferSlice inPlace = desk.of(mine);
        group.allGather(inPlace.part((long) group.rank() * length, length), inPlace, desk.stream);
        assertArrayEquals(expected, desk.read(inPlace));
    }

    private static void transfers(ProcessGroup group, Desk desk, int length) {
        int next = (group.rank() + 1) % group.size();
        int before = (group.rank() + group.size() - 1) % group.size();
        if (next == group.rank()) {
            return;
        }
        BufferSlice got = desk.of(new byte[length]);
        BufferSlice mine = desk.of(bytes(group.rank(), length));
        if (group.rank() % 2 == 0 && group.rank() + 1 < group.size()) {
            group.send(mine, next, desk.stream);
            group.receive(got, before, desk.stream);
        } else {
            group.receive(got, before, desk.stream);
            group.send(mine, next, desk.stream);
        }
        assertArrayEquals(bytes(before, length), desk.read(got));
    }

    private static void scatters(ProcessGroup group, Desk desk) {
        for (int root = 0; root < group.size(); root++) {
            byte[] whole = bytes(root, 50_000);
            int each = 50_000 / group.size() + 1;
            List<BufferSlice> parts = new ArrayList<>();
            BufferSlice memory = desk.of(whole);
            for (int r = 0; r < group.size(); r++) {
                // The last ranks get less, and one gets nothing.
                int from = Math.min(50_000, r * each);
                int to = r == group.size() - 2 ? from : Math.min(50_000, from + each);
                parts.add(memory.part(from, to - from));
            }
            BufferSlice mine = parts.get(group.rank());
            BufferSlice into = desk.of(new byte[(int) mine.byteSize()]);
            group.scatter(group.rank() == root ? parts : List.of(), into, root, desk.stream);
            int from = (int) mine.offset() - 16;
            assertArrayEquals(Arrays.copyOfRange(whole, from, from + (int) mine.byteSize()), desk.read(into));
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 7})
    void messages_of_any_length_reach_everybody(int size) {
        Ranks.all(size, group -> {
            for (int round = 0; round < 200; round++) {
                List<byte[]> all = group.exchange(("x".repeat(group.rank()) + round).getBytes(StandardCharsets.UTF_8));
                for (int r = 0; r < size; r++) {
                    assertEquals("x".repeat(r) + round, new String(all.get(r), StandardCharsets.UTF_8));
                }
            }
            return true;
        });
    }

    @Test
    void a_rank_that_does_not_come_is_named_and_the_group_is_broken() {
        CountDownLatch others = new CountDownLatch(2);
        CountDownLatch failed = new CountDownLatch(2);
        List<Ranks.Outcome<Boolean>> outcomes = Ranks.run(3, SHORT, group -> {
            if (group.rank() == 1) {
                failed.await();
                return true;
            }
            others.countDown();
            others.await();
            try {
                group.barrier();
                return false;
            } catch (GroupException first) {
                GroupException again = assertThrows(GroupException.class, () -> group.exchange(new byte[1]));
                assertTrue(again.getMessage().startsWith("the group is broken: "), again.getMessage());
                throw first;
            } finally {
                failed.countDown();
            }
        });
        assertTrue(outcomes.get(1).get());
        List<String> messages = List.of(outcomes.get(0), outcomes.get(2)).stream()
                .map(o -> o.failedWith(GroupException.class).getMessage()).toList();
        for (String message : messages) {
            assertTrue(message.contains("barrier: rank 1 did not come within 1.0 s"), message);
        }
    }

    @Test
    void a_rank_that_leaves_ends_the_waiting_at_once() {
        List<Ranks.Outcome<Boolean>> outcomes = Ranks.run(3, Duration.ofMinutes(10), group -> {
            if (group.rank() == 2) {
                group.close();
                assertThrows(IllegalStateException.class, group::barrier);
                return true;
            }
            group.barrier();
            return false;
        });
        outcomes.get(0).failedWith(GroupException.class, "rank 2 left the group");
        outcomes.get(1).failedWith(GroupException.class, "left the group");
    }

    @Test
    void different_calls_are_an_error_that_names_both() {
        List<Ranks.Outcome<Boolean>> outcomes = Ranks.run(2, Duration.ofMinutes(10), group -> {
            try (Desk desk = new Desk("cpu")) {
                if (group.rank() == 0) {
                    group.broadcast(desk.of(new byte[7]), 0, desk.stream);
                } else {
                    group.broadcast(desk.of(new byte[8]), 0, desk.stream);
                }
                return true;
            }
        });
        for (Ranks.Outcome<Boolean> outcome : outcomes) {
            outcome.failedWith(GroupException.class, "rank 0 broadcast of 7 bytes from rank 0",
                    "rank 1 broadcast of 8 bytes from rank 0");
        }
    }

    @Test
    void a_scatter_of_other_sizes_than_expected_is_an_error_everywhere() {
        List<Ranks.Outcome<Boolean>> outcomes = Ranks.run(2, Duration.ofMinutes(10), group -> {
            try (Desk desk = new Desk("remote")) {
                BufferSlice memory = desk.of(new byte[20]);
                group.scatter(group.rank() == 0 ? List.of(memory.part(0, 10), memory.part(10, 10)) : List.of(),
                        desk.of(new byte[group.rank() == 0 ? 10 : 9]), 0, desk.stream);
                return true;
            }
        });
        for (Ranks.Outcome<Boolean> outcome : outcomes) {
            outcome.failedWith(GroupException.class, "rank 1 expects 9 bytes and is sent 10");
        }
    }

    @ParameterizedTest
    @CsvSource({"COPY_TO_HOST,2", "COPY_TO_DEVICE,11"})
    void a_device_that_fails_under_one_rank_reaches_the_others(Operation operation, int nth) {
        objects = RemoteProvider.behave(FaultPlan.seeded(SEED).fail(operation, nth));
        List<Ranks.Outcome<Boolean>> outcomes = Ranks.run(3, Duration.ofMinutes(10), group -> {
            try (Desk desk = new Desk("remote")) {
                List<BufferSlice> slices = Stream.of(0, 1, 2).map(root -> desk.of(bytes(root, 5000))).toList();
                group.barrier();
                for (int root = 0; root < 3; root++) {
                    group.broadcast(slices.get(root), root, desk.stream);
                }
                return true;
            }
        });
        assertEquals(1, outcomes.stream().filter(o -> o.failure().filter(BackendException.class::isInstance)
                .isPresent()).count(), outcomes::toString);
        for (Ranks.Outcome<Boolean> outcome : outcomes) {
            outcome.failedWith(FstException.class, "injected fault");
        }
    }

    @Test
    void groups_that_there_are_not_are_refused() {
        assertThrows(IllegalArgumentException.class, () -> ProcessGroups.local(0));
        assertThrows(IllegalArgumentException.class, () -> ProcessGroups.local(2, Duration.ZERO));
        Bootstrap alone = new Bootstrap(0, 1, 0, Device.CPU, Bootstrap.DEFAULT_TIMEOUT, Map.of());
        assertEquals("single", ProcessGroups.join("single", alone).transport());
        assertThrows(IllegalArgumentException.class, () -> ProcessGroups.join("local", alone));
        UnsupportedFeatureException e = assertThrows(UnsupportedFeatureException.class,
                () -> ProcessGroups.join("pigeon", alone));
        assertTrue(e.getMessage().contains("no transport \"pigeon\"") && e.getMessage().contains("local"),
                e.getMessage());
    }

    @Test
    @Tag("native")
    void threads_can_name_their_transport() {
        List<Device> devices = List.of(Device.CPU, Device.CPU);
        List<ProcessGroup> groups = ProcessGroups.local("local", devices, Duration.ofSeconds(5));
        assertEquals(List.of(0, 1), groups.stream().map(ProcessGroup::rank).toList());
        groups.forEach(ProcessGroup::close);
        assertThrows(UnsupportedFeatureException.class,
                () -> ProcessGroups.local("pigeon", devices, Duration.ofSeconds(5)));
    }

    @Test
    @Tag("native")
    void threads_cannot_be_ranks_of_a_transport_of_processes() {
        Prerequisite.OPEN_MPI.require();
        List<Device> devices = List.of(Device.CPU, Device.CPU);
        UnsupportedFeatureException processes = assertThrows(UnsupportedFeatureException.class,
                () -> ProcessGroups.local("mpi", devices, Duration.ofSeconds(5)));
        assertTrue(processes.getMessage().contains("ranks of the transport mpi are processes"), processes.getMessage());
    }

    @Test
    void a_group_of_one_has_nothing_to_do() {
        ProcessGroup single = ProcessGroups.single();
        try (Desk desk = new Desk("remote")) {
            broadcasts(single, desk, 100);
            gathers(single, desk, 100);
            scatters(single, desk);
            assertEquals(1, single.exchange(new byte[3]).size());
            assertSame(single.timeout(), Bootstrap.DEFAULT_TIMEOUT);
            assertThrows(IllegalArgumentException.class, () -> single.send(desk.of(new byte[1]), 0, desk.stream));
        }
        single.close();
        single.close();
        assertThrows(IllegalStateException.class, single::barrier);
    }
}
