package io.fastsafetensors.tests.load;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.DirectIo;
import io.fastsafetensors.api.Distribution;
import io.fastsafetensors.api.GetOptions;
import io.fastsafetensors.api.LoadStats;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.Selection;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.TransferPath;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.error.BackendUnavailableException;
import io.fastsafetensors.error.BudgetException;
import io.fastsafetensors.error.SliceException;
import io.fastsafetensors.error.TensorNotFoundException;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.testkit.fixture.SafetensorsFixture;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Shape;
import io.fastsafetensors.types.Slice;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(600)
class LoadTest {
    private static final int ELEMENTS = 700_001;

    @TempDir
    Path directory;

    /// A file of one F32 tensor `[ELEMENTS]` and one I64 `[2,3]` whose data begins `phase` bytes after a multiple of 8.
    private Path write(int phase, float[] floats) {
        ByteBuffer f = ByteBuffer.allocate(4 * floats.length).order(ByteOrder.LITTLE_ENDIAN);
        f.asFloatBuffer().put(floats);
        ByteBuffer i = ByteBuffer.allocate(48).order(ByteOrder.LITTLE_ENDIAN);
        i.asLongBuffer().put(new long[] {0, 1, 2, 3, 4, 5});
        return SafetensorsFixture.create().tensor("f", DType.F32, Shape.of(floats.length), f.array())
                .tensor("i", DType.I64, Shape.of(2, 3), i.array()).dataStart(phase, 8)
                .write(directory.resolve("phase" + phase + ".safetensors")).path();
    }

    private static float[] floats() {
        Random random = new Random(42);
        float[] floats = new float[ELEMENTS];
        for (int i = 0; i < floats.length; i++) {
            floats[i] = random.nextFloat() - 0.5f;
        }
        return floats;
    }

    private static float[] read(Tensor tensor) {
        return tensor.segment().toArray(ValueLayout.JAVA_FLOAT.withOrder(ByteOrder.LITTLE_ENDIAN));
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 4, 5})
    void any_header_length_gives_aligned_tensors_and_the_same_bytes(int phase) {
        float[] floats = floats();
        Path file = write(phase, floats);
        for (DirectIo mode : DirectIo.values()) {
            for (long alignment : new long[] {0, 256, 8192}) {
                try (Loader loader = Loader.builder().directIo(mode).alignment(alignment).blockBytes(64 << 10).build();
                        Weights weights = loader.load(file)) {
                    Tensor f = weights.get("f");
                    assertEquals(0, f.address() % Math.max(4, alignment));
                    assertEquals(0, weights.get("i").address() % Math.max(8, alignment));
                    assertArrayEquals(floats, read(f));
                    assertEquals(5, weights.get("i").segment().getAtIndex(ValueLayout.JAVA_LONG, 5));
                }
            }
        }
    }

    @Test
    void converting_on_the_way_is_converting_afterwards() {
        Path file = write(1, floats());
        for (DType target : List.of(DType.BF16, DType.F16, DType.F64, DType.F8_E4M3)) {
            try (Loader plain = Loader.builder().build();
                    Loader converting = Loader.builder().dtype(target).blockBytes(4096).build();
                    Weights loaded = plain.load(file);
                    Weights converted = converting.load(file)) {
                assertEquals(target, converted.get("f").dtype());
                assertEquals(DType.I64, converted.get("i").dtype());
                assertEquals(Samples.digest(loaded.get("f", GetOptions.as(target))),
                        Samples.digest(converted.get("f")), target.toString());
                assertTrue(converted.stats().stagingBytes() > 0);
            }
        }
    }

    @Test
    void slices_are_views_or_gathered_copies() {
        float[] floats = floats();
        try (Loader loader = Loader.builder().build(); Weights weights = loader.load(write(0, floats))) {
            Tensor f = weights.get("f");
            Tensor view = f.slice(Slice.range(10, 20));
            assertEquals(f.address() + 40, view.address());
            Tensor last = f.slice(Slice.range(-1, -4, -1));
            assertEquals(Shape.of(3), last.shape());
            assertArrayEquals(
                    new float[] {floats[ELEMENTS - 1], floats[ELEMENTS - 2], floats[ELEMENTS - 3]}, read(last));
            Tensor column = weights.get("i").slice(Slice.all(), Slice.at(1));
            assertEquals(Shape.of(2), column.shape());
            assertEquals(4, column.segment().getAtIndex(ValueLayout.JAVA_LONG, 1));
            assertEquals(1, column.slice(Slice.at(0)).segment().get(ValueLayout.JAVA_LONG, 0));
            SliceException e = assertThrows(SliceException.class, () -> f.slice(Slice.at(ELEMENTS)));
            assertEquals("f", e.where().tensor());
        }
    }

    @Test
    void one_rank_is_given_whole_shards_and_joins() {
        try (Loader loader = Loader.builder().build(); Weights weights = loader.load(write(0, floats()))) {
            assertEquals(Shape.of(2, 3), weights.getSharded("i", 1).shape());
            assertEquals(Shape.of(2, 3), weights.getSharded("i", -1).shape());
            assertThrows(SliceException.class, () -> weights.getSharded("i", 2));
            Tensor columns = weights.getShardedConcat(List.of("i", "i"), 1);
            assertEquals(Shape.of(2, 6), columns.shape());
            assertArrayEquals(new long[] {0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5},
                    columns.segment().toArray(ValueLayout.JAVA_LONG));
            Tensor rows = weights.getShardedConcat(List.of("i", "i"), 0, GetOptions.as(DType.I32));
            assertEquals(Shape.of(4, 3), rows.shape());
            assertEquals(DType.I32, rows.dtype());
            assertThrows(SliceException.class, () -> weights.getShardedConcat(List.of("i", "f"), 0));
            assertTrue(weights.push("i", 0).isPresent());
            assertThrows(IllegalArgumentException.class, () -> weights.push("i", 1));
            Map<String, Integer> dims = new LinkedHashMap<>();
            dims.put("f", 0);
            dims.put("i", -1);
            assertEquals(List.of("f", "i"), List.copyOf(weights.getAll(dims).keySet()));
        }
    }

    @Test
    void only_what_is_selected_is_loaded_and_read() {
        try (Loader loader = Loader.builder().select(Selection.glob("i*")).build();
                Weights weights = loader.load(write(0, floats()))) {
            weights.awaitAll();
            assertEquals(1, weights.names().size());
            assertEquals(48, weights.plan().bytesToRead());
            assertTrue(weights.stats().bytesRead() <= 4096, weights.stats().toString());
            TensorNotFoundException e = assertThrows(TensorNotFoundException.class, () -> weights.get("f"));
            assertTrue(e.getMessage().contains("not selected"), e.getMessage());
            assertThrows(TensorNotFoundException.class, () -> weights.get("nobody"));
        }
    }

    @Test
    void statistics_add_up_and_progress_ends_at_the_total() {
        AtomicLong last = new AtomicLong();
        List<Long> totals = new ArrayList<>();
        try (Loader loader = Loader.builder().blockBytes(100_000).progress((done, total) -> {
            last.accumulateAndGet(done, Math::max);
            totals.add(total);
        }).build(); Weights weights = loader.load(write(0, floats()))) {
            weights.awaitAll();
            LoadStats stats = weights.stats();
            assertEquals(4L * ELEMENTS + 48, stats.bytes());
            assertEquals(stats.bytes(), last.get());
            assertEquals(List.of(stats.bytes()), totals.stream().distinct().toList());
            assertTrue(stats.bytesRead() >= stats.bytes());
            assertTrue(stats.secondsAll() >= stats.secondsFirstTensor() && stats.secondsFirstTensor() > 0);
            assertEquals(1, stats.storage().size());
            assertTrue(weights.isReady("f"));
            assertEquals(Device.CPU, weights.device());
            assertEquals("cpu", loader.backend().name());
        }
    }

    @Test
    void a_listener_that_throws_fails_the_load() {
        IllegalArgumentException mine = new IllegalArgumentException("mine");
        try (Loader loader = Loader.builder().progress((done, total) -> {
            throw mine;
        }).build(); Weights weights = loader.load(write(0, floats()))) {
            IllegalArgumentException first = assertThrows(IllegalArgumentException.class, weights::awaitAll);
            IllegalArgumentException second = assertThrows(IllegalArgumentException.class, weights::awaitAll);
            assertNotSame(first, second);
            for (IllegalArgumentException each : List.of(first, second)) {
                assertEquals("mine", each.getMessage());
                assertSame(mine, each.getCause());
            }
        }
    }

    @Test
    void budgets_that_are_too_small_are_refused_before_the_first_read() {
        Path file = write(1, floats());
        try (Loader loader = Loader.builder().deviceBudget(1 << 20).build()) {
            BudgetException e = assertThrows(BudgetException.class, () -> loader.load(file));
            assertEquals("f", e.where().tensor());
            assertTrue(e.shortfall() > 0);
        }
        try (Loader loader = Loader.builder().hostBudget(1 << 20).build()) {
            assertThrows(BudgetException.class, () -> loader.load(file));
        }
        try (Loader loader = Loader.builder().hostBudget(4 << 20).blockBytes(1 << 20).readers(16).build();
                Weights weights = loader.load(file)) {
            weights.awaitAll();
            assertTrue(weights.stats().stagingBytes() <= 4 << 20, weights.stats().toString());
        }
    }

    @Test
    void a_device_nobody_serves_says_why() {
        LoaderBuilder builder = Loader.builder().device("cuda:0");
        BackendUnavailableException e = assertThrows(BackendUnavailableException.class, builder::build);
        assertTrue(e.getMessage().contains("cpu: serves cpu devices, not cuda:0"), e.getMessage());
        LoaderBuilder named = Loader.builder().backend("acme");
        assertTrue(assertThrows(BackendUnavailableException.class, named::build).getMessage().contains("acme"));
        LoaderBuilder second = Loader.builder().device(new Device("cpu", 7));
        assertTrue(assertThrows(BackendUnavailableException.class, second::build).getMessage().contains("no device 7"));
    }

    @Test
    void requests_that_are_not_supported_are_refused() {
        assertThrows(UnsupportedFeatureException.class,
                () -> Loader.builder().transferPath(TransferPath.DIRECT).build());
        try (Loader loader = Loader.builder().distribution(Distribution.OWNER).build();
                Weights weights = loader.load(List.of(write(0, new float[] {1, 2, 3})))) {
            Tensor f = weights.get("f");
            assertThrows(BackendUnavailableException.class, () -> f.to(new Device("cuda", 0)));
            assertThrows(UnsupportedFeatureException.class, () -> f.to(DType.F4));
            assertSame(f, f.to(Device.CPU));
            assertFalse(f.isClosed());
        }
    }

    @Test
    void copies_to_any_memory_must_fit_exactly() {
        float[] floats = floats();
        try (Loader loader = Loader.builder().build();
                Weights weights = loader.load(Map.of(0, List.of(write(4, floats))));
                Arena arena = Arena.ofConfined()) {
            MemorySegment target = arena.allocate(4L * ELEMENTS);
            weights.get("f").copyTo(target);
            assertEquals(floats[ELEMENTS - 1],
                    target.getAtIndex(ValueLayout.JAVA_FLOAT_UNALIGNED, ELEMENTS - 1));
            assertThrows(IllegalArgumentException.class, () -> weights.get("f").copyTo(target.asSlice(4)));
            assertThrows(IllegalArgumentException.class, () -> loader.load(Map.of(1, List.of(directory))));
        }
    }
}
