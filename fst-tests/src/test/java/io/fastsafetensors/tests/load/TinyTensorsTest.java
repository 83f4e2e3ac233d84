package io.fastsafetensors.tests.load;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.testkit.fault.FaultPlan;
import io.fastsafetensors.testkit.fault.OpenObjects;
import io.fastsafetensors.testkit.fault.Operation;
import io.fastsafetensors.testkit.fixture.SafetensorsFixture;
import io.fastsafetensors.testkit.leak.LeakExtension;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/// Checkpoints of many tensors of a few bytes.
@ExtendWith(LeakExtension.class)
class TinyTensorsTest {
    private static final int TENSORS = 2000;
    private static final int LARGE_HEADER = 100_000;

    @TempDir
    Path directory;
    private final FaultPlan plan = FaultPlan.seeded(1);
    private final OpenObjects objects = NearProvider.behave(plan);

    @AfterEach
    void nothing_is_left() {
        assertEquals(Map.of(), objects.counts(), () -> objects.describe());
        assertEquals(0, MeteredProvider.live());
    }

    private void write(int tensors) {
        SafetensorsFixture file = SafetensorsFixture.create();
        for (int t = 0; t < tensors; t++) {
            file.tensor("model.layers." + t + ".weight_scale", DType.BF16, Shape.of(128), t);
        }
        file.write(directory.resolve("model.safetensors"));
    }

    @Test
    void small_results_share_buffers_and_streams() {
        write(TENSORS);
        try (Loader loader = Loader.builder().device("near").build(); Weights weights = loader.load(directory)) {
            weights.awaitAll();
            long allocations = plan.calls(Operation.ALLOCATE);
            long streams = plan.calls(Operation.OPEN_STREAM);
            long bytes = MeteredProvider.live();
            List<Tensor> results = new ArrayList<>();
            for (String name : weights.names()) {
                results.add(weights.get(name).to(DType.F32));
            }
            assertTrue(plan.calls(Operation.ALLOCATE) - allocations <= 10,
                    plan.calls(Operation.ALLOCATE) - allocations + " allocations");
            assertEquals(1, plan.calls(Operation.OPEN_STREAM) - streams);
            assertTrue(MeteredProvider.live() - bytes <= TENSORS * 512L + (2 << 20));
            check(weights, results);
            long before = MeteredProvider.live();
            results.forEach(Tensor::close);
            assertTrue(MeteredProvider.live() < before - TENSORS * 256L, "what all are done with goes back");
            assertThrows(IllegalStateException.class, results.getFirst()::segment);
        }
    }

    private static void check(Weights weights, List<Tensor> results) {
        long previous = 0;
        for (Tensor result : results) {
            assertNotEquals(previous, result.address());
            assertEquals(0, result.address() % 64);
            previous = result.address();
            MemorySegment source = weights.get(result.name()).segment();
            for (int i = 0; i < 128; i++) {
                int bits = source.getAtIndex(ValueLayout.JAVA_SHORT, i) << 16;
                float expected = Float.intBitsToFloat(bits);
                float found = result.segment().getAtIndex(ValueLayout.JAVA_FLOAT_UNALIGNED, i);
                assertTrue(expected == found || (Float.isNaN(expected) && Float.isNaN(found)), result.name());
            }
        }
    }

    @Test
    void a_small_result_outlives_its_scope_when_detached() {
        write(2);
        Tensor detached;
        try (Loader loader = Loader.builder().device("near").build(); Weights weights = loader.load(directory)) {
            try (Tensor result = weights.get("model.layers.0.weight_scale").to(DType.F32)) {
                detached = result.detach();
            }
        }
        assertEquals(512, detached.segment().byteSize());
        detached.close();
    }

    @Test
    void a_loaded_tensor_takes_two_hundred_bytes_of_heap() {
        write(LARGE_HEADER);
        try (Loader loader = Loader.builder().device("near").build()) {
            loader.load(directory).close();
            long before = usedHeap();
            try (Weights weights = loader.load(directory)) {
                weights.awaitAll();
                long each = (usedHeap() - before) / LARGE_HEADER;
                assertTrue(each <= 200, each + " bytes");
                assertEquals(LARGE_HEADER, weights.names().size());
            }
        }
    }

    private static long usedHeap() {
        for (int i = 0; i < 3; i++) {
            System.gc();
        }
        return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
    }
}
