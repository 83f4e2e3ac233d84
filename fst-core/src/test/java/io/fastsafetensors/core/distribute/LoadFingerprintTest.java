package io.fastsafetensors.core.distribute;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

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
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class LoadFingerprintTest {
    private static final int BLOCK = 64 << 10;

    private static ReadPlan plan(PlannedPath path, double growth) {
        long bytes = 2 * BLOCK - 4096;
        Location file = Location.of("f");
        TensorInfo tensor = new TensorInfo("t", DType.U8, Shape.of(bytes), file, 0, bytes);
        return Planner.plan(List.of(new FileHeader(file, bytes, 0, List.of(tensor), Map.of())),
                List.of(new FileTransfer(path, "the test", 0, growth)), Selection.all(),
                new PlanSettings(256, BLOCK, Optional.empty(), Selection.none()), Cuts.NONE);
    }

    /// A rank whose device has no kernel has smaller blocks of the same tensors.
    @Test
    void equally_many_blocks_that_are_cut_elsewhere_are_a_difference() {
        ReadPlan small = plan(PlannedPath.STAGED, 1);
        ReadPlan large = plan(PlannedPath.DEQUANTIZED, 1.75);
        assertEquals(small.blocks().size(), large.blocks().size());
        assertNotEquals(small.blocks().end(0), large.blocks().end(0));
        Map<String, String> facts = LoadFingerprint.ofPlaces(small);
        assertEquals(facts, LoadFingerprint.ofPlaces(plan(PlannedPath.DEQUANTIZED, 1)));
        assertNotEquals(facts, LoadFingerprint.ofPlaces(large));
    }
}
