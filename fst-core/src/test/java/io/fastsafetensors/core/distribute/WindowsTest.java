package io.fastsafetensors.core.distribute;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Selection;
import io.fastsafetensors.core.header.FileHeader;
import io.fastsafetensors.core.plan.PlanSettings;
import io.fastsafetensors.core.plan.PlannedFile.FileTransfer;
import io.fastsafetensors.core.plan.PlannedFile.PlannedPath;
import io.fastsafetensors.core.plan.Planner;
import io.fastsafetensors.core.plan.Planner.Cuts;
import io.fastsafetensors.core.plan.ReadPlan;
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
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class WindowsTest {
    private static final long MIB = 1 << 20;

    private static ReadPlan plan(int blockBytes, long... files) {
        List<FileHeader> headers = new ArrayList<>();
        for (long bytes : files) {
            Location path = Location.of("f" + headers.size());
            TensorInfo tensor = new TensorInfo("t" + headers.size(), DType.U8, Shape.of(bytes), path, 128, bytes);
            headers.add(new FileHeader(path, 128 + bytes, 128, List.of(tensor), Map.of()));
        }
        return Planner.plan(headers,
                Collections.nCopies(headers.size(), new FileTransfer(PlannedPath.STAGED, "the test")),
                Selection.all(), new PlanSettings(256, blockBytes, Optional.empty(), Selection.none()), Cuts.NONE);
    }

    @Test
    void every_block_is_read_once_by_ranks_that_have_equally_many() {
        long seed = Long.getLong("fst.seed", System.nanoTime());
        Random random = new Random(seed);
        for (int round = 0; round < 300; round++) {
            int ranks = random.nextInt(1, 9);
            ReadPlan plan = plan(4096 * random.nextInt(1, 5),
                    random.longs(random.nextInt(0, 12), 0, 300_000).toArray());
            Windows windows = Windows.of(plan, ranks, 4096L * random.nextInt(1, 100));
            String message = "seed " + seed + " round " + round + ": " + windows;
            TreeSet<Integer> all = new TreeSet<>();
            int most = 0;
            int fewest = Integer.MAX_VALUE;
            for (int rank = 0; rank < ranks; rank++) {
                int[] own = windows.blocksOf(rank);
                IntStream.of(own).forEach(block -> assertTrue(all.add(block), message));
                most = Math.max(most, own.length);
                fewest = Math.min(fewest, own.length);
            }
            assertEquals(plan.blocks().size(), all.size(), message);
            assertTrue(most - fewest <= 1, message + ", " + fewest + " to " + most);
            checkPieces(plan, windows, message);
        }
    }

    private static void checkPieces(ReadPlan plan, Windows windows, String message) {
        int next = 0;
        for (int w = 0; w < windows.size(); w++) {
            assertEquals(next, windows.start(w), message);
            for (Windows.Piece piece : windows.pieces(w)) {
                assertEquals(next, piece.first(), message);
                assertEquals(plan.blocks().file(piece.first()), plan.blocks().file(piece.end() - 1), message);
                next = piece.end();
            }
        }
        assertEquals(plan.blocks().size(), next, message);
        assertEquals(next, windows.start(windows.size()), message);
    }

    @Test
    void the_number_of_windows_and_pieces_does_not_depend_on_the_blocks() {
        for (int ranks : new int[] {2, 4, 8}) {
            int[] windows = new int[3];
            long[] pieces = new long[3];
            for (int i = 0; i < 3; i++) {
                Windows made = Windows.of(plan((int) MIB << i, 2048 * MIB, 2048 * MIB), ranks, 128 * MIB);
                windows[i] = made.size();
                pieces[i] = IntStream.range(0, made.size()).mapToLong(w -> made.pieces(w).size()).sum();
            }
            assertTrue(windows[0] >= 32 && windows[0] <= 48, ranks + " ranks: " + windows[0]);
            for (int i = 1; i < 3; i++) {
                assertTrue(Math.abs(windows[i] - windows[0]) <= 2, ranks + " ranks: " + windows[i] + ", " + windows[0]);
                assertTrue(pieces[i] <= (long) ranks * (windows[i] + 1), ranks + " ranks: " + pieces[i]);
            }
        }
    }
}
