package io.fastsafetensors.tests.load;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.ProgressListener;
import io.fastsafetensors.api.Selection;
import io.fastsafetensors.api.TensorStream;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.testkit.fault.FaultPlan;
import io.fastsafetensors.testkit.fixture.SafetensorsFixture;
import io.fastsafetensors.testkit.reference.Elements;
import io.fastsafetensors.testkit.reference.ScalarReference;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Shape;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/// Numbers that a conversion has no place for are counted, each tensor's.
@Timeout(120)
class OverflowTest {
    private static final long SEED = Long.getLong("fst.seed", 20261130);
    private static final int COUNT = 40_000;

    @TempDir
    Path directory;

    @BeforeEach
    void wellBehaved() {
        RemoteProvider.behave(FaultPlan.seeded(SEED));
    }

    private Path write(DType... dtypes) {
        Random random = new Random(SEED);
        SafetensorsFixture file = SafetensorsFixture.create();
        for (DType dtype : dtypes) {
            byte[] bytes = new byte[(int) dtype.byteSize(COUNT)];
            random.nextBytes(bytes);
            file.tensor("x." + dtype, dtype, Shape.of(COUNT / 8, 8), bytes);
        }
        return file.write(directory.resolve("model.safetensors")).path();
    }

    /// Finite numbers whose conversion is infinite; of a dtype without infinities those that are converted to its largest
    /// number although they are nearer to what would come after it.
    private static long expected(byte[] bytes, DType from, DType to) {
        MemorySegment memory = MemorySegment.ofArray(bytes);
        double limit = switch (to) {
            case F8_E4M3 -> 464;
            case F4 -> 7;
            default -> Double.POSITIVE_INFINITY;
        };
        long beyond = 0;
        for (long i = 0; i < COUNT; i++) {
            long raw = Elements.get(memory, from, i);
            double before = Double.longBitsToDouble(ScalarReference.convert(from, raw, DType.F64));
            double after = Double.longBitsToDouble(
                    ScalarReference.convert(to, ScalarReference.convert(from, raw, to), DType.F64));
            boolean large = to == DType.F8_E4M3 ? Math.abs(before) > limit : Math.abs(before) >= limit;
            beyond += Double.isFinite(before) && (Double.isInfinite(after) || large) ? 1 : 0;
        }
        return beyond;
    }

    private Map<String, Long> expected(DType to, DType... sources) {
        Random random = new Random(SEED);
        Map<String, Long> counts = new HashMap<>();
        for (DType from : sources) {
            byte[] bytes = new byte[(int) from.byteSize(COUNT)];
            random.nextBytes(bytes);
            long count = from == to ? 0 : expected(bytes, from, to);
            if (count > 0) {
                counts.put("x." + from, count);
            }
        }
        return counts;
    }

    @ParameterizedTest
    @EnumSource(names = {"F16", "BF16", "F32", "F8_E4M3", "F8_E5M2", "F4"})
    void loads_streams_and_copies_count_what_they_lose(DType to) {
        DType[] sources = {DType.F64, DType.F32, DType.BF16, DType.F16};
        Path file = write(sources);
        Map<String, Long> expected = expected(to, sources);
        for (Device device : List.of(Device.CPU, RemoteProvider.DEVICE)) {
            Map<String, Long> told = new HashMap<>();
            ProgressListener listener = new ProgressListener() {
                @Override
                public void progress(long done, long total) {
                }

                @Override
                public void overflowed(Map<String, Long> counts) {
                    told.putAll(counts);
                }
            };
            try (Loader loader = Loader.builder().device(device).dtype(to).countOverflows(true).blockBytes(16_384)
                    .deviceBudget(8 << 20).progress(listener).build()) {
                try (Weights weights = loader.load(file)) {
                    weights.awaitAll();
                    assertEquals(expected, weights.stats().overflows(), "seed " + SEED);
                }
                try (TensorStream stream = loader.stream(file)) {
                    stream.forEach(_ -> {
                    });
                    assertEquals(expected, stream.stats().overflows());
                }
                loader.rewrite(file, directory.resolve("copy.safetensors"), WriteOptions.defaults());
                assertEquals(expected, told);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"F64", "F32"})
    void nothing_is_counted_unless_asked_for_or_where_nothing_can_be_lost(DType to) {
        Path file = write(DType.BF16, DType.F16);
        try (Loader loader = Loader.builder().dtype(DType.F8_E5M2).build(); Weights weights = loader.load(file)) {
            weights.awaitAll();
            assertEquals(Map.of(), weights.stats().overflows());
        }
        try (Loader loader = Loader.builder().dtype(to).countOverflows(true).build();
                Weights weights = loader.load(file)) {
            weights.awaitAll();
            assertEquals(Map.of(), weights.stats().overflows());
        }
    }

    @ParameterizedTest
    @CsvSource({"F16"})
    void kept_tensors_are_not_converted_and_lose_nothing(DType to) {
        Path file = write(DType.F32, DType.BF16);
        try (Loader loader = Loader.builder().dtype(to).countOverflows(true).keep(Selection.glob("*.F32")).build();
                Weights weights = loader.load(file)) {
            weights.awaitAll();
            assertEquals(DType.F32, weights.get("x.F32").dtype());
            assertEquals(DType.F16, weights.get("x.BF16").dtype());
            assertEquals(1, weights.stats().overflows().size());
        }
    }
}
