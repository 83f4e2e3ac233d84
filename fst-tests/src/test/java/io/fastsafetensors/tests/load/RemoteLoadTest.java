package io.fastsafetensors.tests.load;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.GetOptions;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.TransferPath;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.BackendUnavailableException;
import io.fastsafetensors.error.BudgetException;
import io.fastsafetensors.error.FstException;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.testkit.fault.FaultPlan;
import io.fastsafetensors.testkit.fault.OpenObjects;
import io.fastsafetensors.testkit.fault.OpenObjects.Kind;
import io.fastsafetensors.testkit.fault.Operation;
import io.fastsafetensors.testkit.fixture.SafetensorsFixture;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Shape;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Loads into memory that the host cannot address, on every way there is.
@Timeout(600)
class RemoteLoadTest {
    private static final long SEED = Long.getLong("fst.seed", 20261123);
    private static final DType[] DTYPES = {DType.F32, DType.BF16, DType.U8, DType.I64, DType.F16};

    @TempDir
    Path directory;
    private OpenObjects objects = RemoteProvider.behave(FaultPlan.seeded(SEED));

    @BeforeEach
    void wellBehaved() {
        objects = RemoteProvider.behave(FaultPlan.seeded(SEED));
    }

    @AfterEach
    void nothingIsLeft() {
        assertEquals(Map.of(), objects.counts(), () -> objects.describe());
        assertEquals(0, RemoteBackend.REGISTRATIONS.get());
        assertEquals(0, RemoteBackend.DIRECT_FILES.get());
    }

    private static LoaderBuilder remote() {
        return Loader.builder().device(RemoteProvider.DEVICE);
    }

    /// Shards of tensors of odd sizes; the data of the nth begins `n` bytes after a multiple of 8.
    private List<Path> checkpoint(String name, int shards, int tensors) throws IOException {
        Random random = new Random(SEED);
        List<Path> files = new ArrayList<>();
        for (int s = 0; s < shards; s++) {
            SafetensorsFixture fixture = SafetensorsFixture.create().dataStart(s, 8);
            for (int t = 0; t < tensors; t++) {
                DType dtype = DTYPES[random.nextInt(DTYPES.length)];
                int elements = t == 1 ? 0 : random.nextInt(t % 7 == 0 ? 60_000 : 700);
                fixture.tensor(name + s + "." + t, dtype, Shape.of(elements), random.nextLong());
            }
            files.add(fixture.write(directory.resolve(name + "-" + s + ".safetensors")).path());
        }
        return files;
    }

    private static Map<String, byte[]> load(LoaderBuilder builder, List<Path> files) {
        try (Loader loader = builder.build(); Weights weights = loader.load(files)) {
            return bytes(weights);
        }
    }

    private static Map<String, byte[]> bytes(Weights weights) {
        Map<String, byte[]> all = new TreeMap<>();
        for (String name : weights.names()) {
            Tensor tensor = weights.get(name);
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment copy = arena.allocate(Math.max(1, tensor.byteSize())).asSlice(0, tensor.byteSize());
                tensor.copyTo(copy);
                all.put(name, copy.toArray(ValueLayout.JAVA_BYTE));
            }
            if (!tensor.device().isCpu() && tensor.byteSize() > 0) {
                assertEquals(0, tensor.address() % 256, name);
                assertFalse(tensor.isHostAddressable());
            }
        }
        return all;
    }

    private static void assertSame(Map<String, byte[]> expected, Map<String, byte[]> actual, Object what) {
        assertEquals(expected.keySet(), actual.keySet());
        expected.forEach((name, bytes) -> assertArrayEquals(bytes, actual.get(name), name + " by " + what));
    }

    @ParameterizedTest
    @EnumSource(TransferPath.class)
    void every_way_brings_the_same_bytes_as_the_cpu(TransferPath way) throws IOException {
        List<Path> files = checkpoint("direct", 9, 30);
        assertSame(load(Loader.builder(), files), load(remote().transferPath(way), files), way);
        assertSame(load(Loader.builder().dtype(DType.BF16), files),
                load(remote().transferPath(way).dtype(DType.BF16), files), way + " to BF16");
        assertSame(load(Loader.builder().dtype(DType.F64), files),
                load(remote().transferPath(way).dtype(DType.F64).blockBytes(4096), files), way + " to F64");
        assertSame(load(Loader.builder().select(t -> t.name().hashCode() % 3 == 0), files),
                load(remote().transferPath(way).select(t -> t.name().hashCode() % 3 == 0), files), way + " selected");
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 7})
    void slow_copies_in_any_order_and_few_slots_change_nothing(int slots) throws IOException {
        List<Path> files = checkpoint("a", 3, 40);
        objects = RemoteProvider.behave(FaultPlan.seeded(SEED).delay(Operation.COPY_TO_DEVICE, Duration.ofMillis(2))
                .delay(Operation.ALLOCATE_STAGING, Duration.ofMillis(5)));
        long slot = 4096 * 2 + 64 * 1024;
        assertSame(load(Loader.builder(), files), load(remote().hostBudget(slots * slot), files), slots + " slots");
        assertThrows(BudgetException.class, () -> load(remote().hostBudget(slot - 1), files));
    }

    @ParameterizedTest
    @EnumSource(TransferPath.class)
    @Tag("slow")
    void any_call_that_fails_is_one_clear_error_and_leaves_nothing(TransferPath way) throws IOException {
        List<Path> files = checkpoint("direct", 3, 25);
        Map<String, byte[]> expected = load(Loader.builder().dtype(DType.F32), files);
        int failed = 0;
        for (Operation operation : Operation.values()) {
            for (long nth : new long[] {1, 2, 3, 5, 8, 13, 40}) {
                objects = RemoteProvider.behave(FaultPlan.seeded(SEED).fail(operation, nth));
                try {
                    assertSame(expected, load(remote().transferPath(way).dtype(DType.F32), files), operation);
                } catch (FstException e) {
                    assertTrue(e.getMessage().contains("injected fault") || e.getMessage().contains("out of memory"),
                            e.getMessage());
                    failed++;
                }
                nothingIsLeft();
            }
        }
        assertTrue(failed > 20, failed + " failures seen");
    }

    @Test
    void staging_goes_on_with_the_slots_that_there_are() throws IOException {
        List<Path> files = checkpoint("a", 2, 40);
        objects = RemoteProvider.behave(FaultPlan.seeded(SEED).fail(Operation.ALLOCATE_STAGING, 2));
        assertSame(load(Loader.builder(), files), load(remote(), files), "one slot");
    }

    @ParameterizedTest
    @EnumSource(TransferPath.class)
    @Tag("slow")
    void a_load_can_be_closed_at_any_time(TransferPath way) throws IOException {
        List<Path> files = checkpoint("direct", 4, 30);
        Random random = new Random(SEED);
        objects = RemoteProvider
                .behave(FaultPlan.seeded(SEED).delay(Operation.COPY_TO_DEVICE, Duration.ofMillis(1)));
        for (int round = 0; round < 60; round++) {
            try (Loader loader = remote().transferPath(way).build()) {
                Weights weights = loader.load(files);
                Thread.onSpinWait();
                if (random.nextBoolean()) {
                    weights.isReady(weights.names().iterator().next());
                    sleep(random.nextInt(4));
                }
                weights.close();
                assertThrows(IllegalStateException.class, weights::awaitAll);
            }
            nothingIsLeft();
        }
    }

    private static void sleep(int millis) {
        try {
            Thread.sleep(millis);
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void loaders_of_a_device_share_it_and_its_slots() throws IOException {
        List<Path> files = checkpoint("a", 4, 30);
        Map<String, byte[]> expected = load(Loader.builder(), files);
        try (Loader one = remote().transferPath(TransferPath.STAGED).build();
                Loader two = remote().transferPath(TransferPath.STAGED).build();
                Weights first = one.load(files);
                Weights second = two.load(files)) {
            assertSame(expected, bytes(first), "the first");
            assertSame(expected, bytes(second), "the second");
            assertEquals(1, objects.count(Kind.BACKEND));
            assertTrue(objects.count(Kind.STAGING) <= 2L * first.stats().readers(), () -> objects.describe());
            first.awaitAll();
            second.awaitAll();
            assertTrue(second.stats().stagingBytes() > 0
                    && second.stats().stagingBytes() <= objects.count(Kind.STAGING) * (4096 * 2 + 64 * 1024));
            one.trim();
            assertEquals(0, objects.count(Kind.STAGING));
            try (Weights again = two.load(files)) {
                assertSame(expected, bytes(again), "after trimming");
            }
        }
    }

    @Test
    void what_was_loaded_outlives_the_loader_and_its_slots() throws IOException {
        List<Path> files = checkpoint("a", 1, 10);
        Map<String, byte[]> expected = load(Loader.builder(), files);
        Weights weights;
        try (Loader loader = remote().build()) {
            weights = loader.load(files);
        }
        weights.awaitAll();
        assertSame(expected, bytes(weights), "after the loader");
        assertEquals(0, objects.count(Kind.STAGING));
        Tensor kept = weights.get("a0.0").detach();
        weights.close();
        assertEquals(1, objects.count(Kind.BUFFER));
        kept.close();
    }

    @Test
    void mappings_stay_registered_until_trimmed() throws IOException {
        List<Path> files = checkpoint("a", 3, 10);
        Map<String, byte[]> expected = load(Loader.builder(), files);
        try (Loader loader = remote().transferPath(TransferPath.MAPPED).build()) {
            for (int round = 0; round < 3; round++) {
                try (Weights weights = loader.load(files)) {
                    assertSame(expected, bytes(weights), "round " + round);
                    assertTrue(weights.plan().describe().contains(round == 0 ? "to be registered" : "earlier load"),
                            weights.plan().describe());
                }
                assertEquals(3, RemoteBackend.REGISTRATIONS.get());
            }
            Files.setLastModifiedTime(files.getFirst(), FileTime.fromMillis(1));
            try (Weights weights = loader.load(files)) {
                weights.awaitAll();
                assertEquals(4, RemoteBackend.REGISTRATIONS.get(), "a changed file is mapped again");
                loader.trim();
                assertEquals(0, RemoteBackend.REGISTRATIONS.get());
            }
        }
        try (Loader tight = remote().transferPath(TransferPath.MAPPED).hostBudget(Files.size(files.getFirst()) + 9)
                .build(); Weights weights = tight.load(files)) {
            assertSame(expected, bytes(weights), "a tight budget");
            assertTrue(weights.plan().describe().contains("STAGED since a mapping would exceed"),
                    weights.plan().describe());
        }
    }

    @Test
    void each_file_takes_the_direct_way_if_it_can() throws IOException {
        List<Path> files = new ArrayList<>(checkpoint("direct", 1, 10));
        files.addAll(checkpoint("compat", 1, 10));
        files.addAll(checkpoint("plain", 1, 10));
        Map<String, byte[]> expected = load(Loader.builder(), files);
        try (Loader loader = remote().build(); Weights weights = loader.load(files)) {
            assertSame(expected, bytes(weights), "mixed ways");
            String plan = weights.plan().describe();
            assertTrue(plan.contains("DIRECT since its name says direct"), plan);
            assertTrue(plan.contains("STAGED since direct storage would copy through the host"), plan);
            assertTrue(plan.contains("STAGED since no direct storage: its name says nothing"), plan);
        }
        assertSame(expected, load(remote().transferPath(TransferPath.DIRECT), files), "asked for, not strict");
        BackendException refused = assertThrows(BackendException.class,
                () -> load(remote().strictBackend(true), files));
        assertTrue(refused.getMessage().contains("its name says nothing") && refused.getMessage().contains("plain-0"),
                refused.getMessage());
        load(remote().strictBackend(true), files.subList(0, 2));
    }

    @Test
    void a_file_that_shrinks_is_an_error_on_every_way() throws IOException {
        for (TransferPath way : TransferPath.values()) {
            List<Path> files = checkpoint("direct", 1, 10);
            byte[] whole = Files.readAllBytes(files.getFirst());
            try (Loader loader = remote().transferPath(way).build()) {
                loader.plan(files.getFirst());
                Weights weights = loader.load(files);
                weights.close();
                Files.write(files.getFirst(), Arrays.copyOf(whole, whole.length - 5000));
                FstException e = assertThrows(FstException.class, () -> loader.load(files));
                assertTrue(e.getMessage().contains("direct-0"), e.getMessage());
            }
        }
    }

    @Test
    void tensors_move_between_devices() throws IOException {
        List<Path> files = checkpoint("a", 1, 8);
        Map<String, byte[]> expected = load(Loader.builder(), files);
        try (Loader cpu = Loader.builder().build();
                Weights near = cpu.load(files);
                Loader other = remote().build();
                Weights far = other.load(files)) {
            for (String name : near.names()) {
                Tensor there = near.get(name).to(RemoteProvider.DEVICE);
                Tensor back = there.to(Device.CPU);
                assertEquals(RemoteProvider.DEVICE, there.device());
                assertArrayEquals(expected.get(name), back.segment().toArray(ValueLayout.JAVA_BYTE), name);
                assertArrayEquals(expected.get(name), far.get(name, GetOptions.on(Device.CPU)).segment()
                        .toArray(ValueLayout.JAVA_BYTE), name);
                there.close();
                back.close();
                assertThrows(IllegalStateException.class, back::segment);
            }
            assertThrows(BackendUnavailableException.class,
                    () -> near.get("a0.0").to(new Device("nowhere", 0)));
        }
    }

    @Test
    void the_cpu_has_no_direct_storage() {
        assertThrows(UnsupportedFeatureException.class,
                () -> Loader.builder().transferPath(TransferPath.DIRECT).build());
    }
}
