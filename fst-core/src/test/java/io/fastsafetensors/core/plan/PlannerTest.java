package io.fastsafetensors.core.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Selection;
import io.fastsafetensors.core.header.FileHeader;
import io.fastsafetensors.core.plan.PlannedFile.FileTransfer;
import io.fastsafetensors.core.plan.PlannedFile.PlannedPath;
import io.fastsafetensors.core.plan.PlannedTensors.PlannedTensor;
import io.fastsafetensors.core.plan.Planner.Cuts;
import io.fastsafetensors.error.BudgetException;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.Shape;
import io.fastsafetensors.types.TensorInfo;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

class PlannerTest {
    private static final DType[] DTYPES = {DType.F32, DType.BF16, DType.U8, DType.I64, DType.F4, DType.F8_E4M3};

    private static PlanSettings settings(long alignment, int block, DType dtype) {
        return new PlanSettings(alignment, block, Optional.ofNullable(dtype), Selection.none());
    }

    private static ReadPlan plan(List<FileHeader> headers, Selection selection, PlanSettings settings) {
        return plan(headers, PlannedPath.IN_PLACE, selection, settings);
    }

    private static ReadPlan plan(List<FileHeader> headers, PlannedPath way, Selection selection,
            PlanSettings settings) {
        return Planner.plan(headers, Collections.nCopies(headers.size(), new FileTransfer(way, "the test")), selection,
                settings, Cuts.NONE);
    }

    private static FileHeader file(String name, long dataStart, RandomGenerator random, int tensors, int largest) {
        List<TensorInfo> infos = new ArrayList<>();
        long at = dataStart;
        for (int i = 0; i < tensors; i++) {
            DType dtype = DTYPES[random.nextInt(DTYPES.length)];
            Shape shape = Shape.of(random.nextInt(5) == 0 ? 0 : random.nextInt(1, largest), 2);
            long bytes = dtype.byteSize(shape.elements());
            infos.add(new TensorInfo(name + i, dtype, shape, Location.of(name), at, bytes));
            at += bytes;
        }
        return new FileHeader(Location.of(name), at, dataStart, infos, Map.of());
    }

    @Test
    void every_byte_of_every_tensor_is_carried_once_to_a_place_of_its_own() {
        long seed = Long.getLong("fst.seed", System.nanoTime());
        RandomGenerator random = new Random(seed);
        for (int round = 0; round < 300; round++) {
            long dataStart = random.nextInt(8, 9000);
            FileHeader a = file("a", dataStart, random, random.nextInt(0, 40), 20_000);
            FileHeader b = file("b", dataStart & ~7, random, random.nextInt(0, 40), 20_000);
            DType dtype = random.nextBoolean() ? null : DTYPES[random.nextInt(2)];
            int kept = random.nextInt(1, 5);
            PlanSettings settings = settings(random.nextBoolean() ? 0 : 256, 4096 * random.nextInt(1, 9), dtype);
            PlannedPath way = PlannedPath.values()[random.nextInt(PlannedPath.values().length)];
            ReadPlan plan = plan(List.of(a, b), way, t -> t.name().hashCode() % kept == 0, settings);
            String message = "seed " + seed + " round " + round + "\n" + plan.describe();
            for (int f = 0; f < 2; f++) {
                checkPlaces(plan, f, message);
            }
            checkBlocks(plan, message);
        }
    }

    private static void checkPlaces(ReadPlan plan, int f, String message) {
        PlannedFile file = plan.planned().get(f);
        long alignment = Math.max(1, plan.settings().tensorAlignment());
        long end = 0;
        for (PlannedTensor tensor : file.tensors()) {
            if (tensor.byteSize() == 0) {
                assertTrue(tensor.firstBlock() > tensor.lastBlock(), message);
                continue;
            }
            assertTrue(tensor.bufferOffset() >= end, message);
            end = tensor.bufferOffset() + tensor.byteSize();
            assertEquals(0, tensor.bufferOffset() % alignment, message);
            assertEquals(0, tensor.bufferOffset() % tensor.dtype().alignment(), message);
            DType loaded = tensor.info().dtype().isFloat()
                    ? plan.settings().dtype().orElse(tensor.info().dtype()) : tensor.info().dtype();
            assertEquals(loaded, tensor.dtype(), message);
            assertEquals(loaded.byteSize(tensor.info().shape().elements()), tensor.byteSize(), message);
        }
        // A mapping takes no memory of its own: its buffer is the file.
        assertTrue(end <= (file.path() == PlannedPath.MAPPED_IN_PLACE ? file.fileLength() : file.bufferBytes()),
                message);
    }

    private static void checkBlocks(ReadPlan plan, String message) {
        BlockTable blocks = plan.blocks();
        for (int b = 1; b < blocks.size(); b++) {
            assertTrue(blocks.file(b) > blocks.file(b - 1) || blocks.start(b) >= blocks.end(b - 1), message);
        }
        for (PlannedFile file : plan.planned()) {
            for (PlannedTensor tensor : file.tensors()) {
                long at = tensor.info().fileOffset();
                for (int b = tensor.firstBlock(); b <= tensor.lastBlock(); b++) {
                    assertEquals(tensor.file(), blocks.file(b), message);
                    assertTrue(blocks.start(b) <= at && at < blocks.end(b), message);
                    assertTrue((file.path() == PlannedPath.MAPPED && !file.converts())
                            || Pages.ceil(blocks.end(b)) - Pages.floor(blocks.start(b)) <= plan.slotBytes(), message);
                    assertTrue(blocks.start(b) < blocks.end(b), message);
                    if (file.path() == PlannedPath.IN_PLACE) {
                        long place = blocks.target(b) + at - Pages.floor(blocks.start(b));
                        assertEquals(tensor.bufferOffset() + at - tensor.info().fileOffset(), place, message);
                        assertEquals(0, blocks.target(b) % Pages.SIZE, message);
                        assertTrue(blocks.target(b) + Pages.ceil(blocks.end(b)) - Pages.floor(blocks.start(b)) <= file
                                .bufferBytes(), message);
                    } else if (tensor.isConverted()) {
                        long bits = (at - tensor.info().fileOffset()) * 8;
                        assertEquals(0, bits % (8L * tensor.info().dtype().bits()), message);
                    }
                    at = blocks.end(b);
                }
                assertTrue(tensor.byteSize() == 0 || at >= tensor.info().fileEnd(), message);
            }
        }
    }

    @Test
    void an_aligned_file_is_read_in_place_and_an_odd_one_is_moved() {
        TensorInfo even = new TensorInfo("x", DType.F32, Shape.of(100), Location.of("e"), 80, 400);
        TensorInfo odd = new TensorInfo("x", DType.F32, Shape.of(100), Location.of("o"), 81, 400);
        assertEquals(PlannedPath.IN_PLACE, path(even, settings(0, 4096, null)));
        assertEquals(PlannedPath.MOVED, path(odd, settings(0, 4096, null)));
        assertEquals(PlannedPath.MOVED, path(even, settings(64, 4096, null)));
        assertEquals(PlannedPath.MOVED, path(even, settings(0, 4096, DType.BF16)));
        assertEquals(PlannedPath.IN_PLACE, path(even, settings(0, 4096, DType.F32)));
    }

    private static PlannedPath path(TensorInfo tensor, PlanSettings settings) {
        FileHeader header = new FileHeader(tensor.file(), tensor.fileEnd(), tensor.fileOffset(), List.of(tensor),
                Map.of());
        return plan(List.of(header), Selection.all(), settings).planned().getFirst().path();
    }

    @Test
    void only_selected_ranges_are_read() {
        FileHeader header = file("a", 8, new Random(3), 30, 200_000);
        ReadPlan plan = plan(List.of(header), Selection.names("a3", "a17"), settings(0, 1 << 20, null));
        long wanted = header.tensors().get(3).byteSize() + header.tensors().get(17).byteSize();
        assertEquals(wanted, plan.bytesToRead());
        assertEquals(2, plan.planned().getFirst().tensors().size());
    }

    @Test
    void neighbours_are_read_as_one_up_to_the_gap_that_the_api_tells() {
        long gap = 64 << 10;
        List<TensorInfo> tensors = new ArrayList<>();
        long at = 8;
        for (long bytes : new long[] {5000, gap, 5000, gap + 1, 5000}) {
            tensors.add(new TensorInfo("t" + tensors.size(), DType.U8, Shape.of(bytes), Location.of("f"), at, bytes));
            at += bytes;
        }
        FileHeader header = new FileHeader(Location.of("f"), at, 8, tensors, Map.of());
        ReadPlan plan = plan(List.of(header), Selection.names("t0", "t2", "t4"), settings(0, 1 << 20, null));
        assertEquals(2, plan.files().getFirst().ranges());
        assertEquals(15_000 + gap, plan.bytesToRead());
    }

    @Test
    void the_digest_depends_on_what_ranks_must_agree_on() {
        FileHeader header = file("a", 8, new Random(5), 9, 1000);
        String digest = plan(List.of(header), Selection.all(), settings(0, 4096, null)).digest();
        assertEquals(digest, plan(List.of(header), Selection.all(), settings(0, 4096, null)).digest());
        assertNotEquals(digest, plan(List.of(header), Selection.all(), settings(0, 8192, null)).digest());
        assertNotEquals(digest, plan(List.of(header), t -> t != header.tensors().get(2),
                settings(0, 4096, null)).digest());
    }

    @Test
    void a_budget_that_is_too_small_names_the_tensor_and_the_shortfall() {
        TensorInfo first = new TensorInfo("first", DType.U8, Shape.of(4096), Location.of("f"), 4096, 4096);
        TensorInfo second = new TensorInfo("second", DType.U8, Shape.of(8192), Location.of("f"), 8192, 8192);
        FileHeader header = new FileHeader(Location.of("f"), 16384, 4096, List.of(first, second), Map.of());
        ReadPlan plan = plan(List.of(header), Selection.all(), settings(0, 4096, null));
        plan.requireDeviceBudget(12288, 0);
        BudgetException e = assertThrows(BudgetException.class, () -> plan.requireDeviceBudget(12000, 0));
        assertEquals("second", e.where().tensor());
        assertEquals(288, e.shortfall());
    }

    @Test
    void a_conversion_that_leaves_half_a_byte_is_refused() {
        TensorInfo three = new TensorInfo("three", DType.F32, Shape.of(3), Location.of("f"), 8, 12);
        FileHeader header = new FileHeader(Location.of("f"), 20, 8, List.of(three), Map.of());
        UnsupportedFeatureException e = assertThrows(UnsupportedFeatureException.class,
                () -> plan(List.of(header), Selection.all(), settings(0, 4096, DType.F4)));
        assertEquals("three", e.where().tensor());
    }

    /// What is moved from rank to rank block by block must be all, once, and nothing else of the buffer's tensors.
    @Test
    void every_block_has_one_range_of_its_own_that_holds_its_tensors() {
        long seed = Long.getLong("fst.seed", System.nanoTime());
        RandomGenerator random = new Random(seed);
        for (int round = 0; round < 200; round++) {
            FileHeader a = file("a", random.nextInt(8, 9000), random, random.nextInt(0, 40), 20_000);
            FileHeader b = file("b", random.nextInt(8, 9000) & ~7, random, random.nextInt(0, 40), 20_000);
            DType dtype = random.nextBoolean() ? null : DTYPES[random.nextInt(2)];
            int kept = random.nextInt(1, 5);
            PlannedPath way = PlannedPath.values()[random.nextInt(PlannedPath.values().length)];
            ReadPlan plan = plan(List.of(a, b), way, t -> t.name().hashCode() % kept == 0,
                    settings(random.nextBoolean() ? 0 : 256, 4096 * random.nextInt(1, 9), dtype));
            ReadPlan.Targets targets = plan.targets();
            String message = "seed " + seed + " round " + round + "\n" + plan.describe();
            checkTargets(plan, targets, message);
        }
    }

    private static void checkTargets(ReadPlan plan, ReadPlan.Targets targets, String message) {
        BlockTable blocks = plan.blocks();
        for (int b = 0; b < blocks.size(); b++) {
            assertTrue(targets.bytes(b) >= 0, message);
            if (b > 0 && blocks.file(b) == blocks.file(b - 1) && targets.bytes(b) > 0 && targets.bytes(b - 1) > 0) {
                assertTrue(targets.start(b) >= targets.start(b - 1) + targets.bytes(b - 1), message);
            }
        }
        for (PlannedFile file : plan.planned()) {
            for (PlannedTensor tensor : file.tensors()) {
                long covered = 0;
                for (int b = tensor.firstBlock(); b <= tensor.lastBlock(); b++) {
                    long start = Math.max(targets.start(b), tensor.bufferOffset());
                    long end = Math.min(targets.start(b) + targets.bytes(b), tensor.bufferOffset() + tensor.byteSize());
                    covered += Math.max(0, end - start);
                }
                assertEquals(tensor.byteSize(), covered, message + tensor);
            }
        }
    }
}
