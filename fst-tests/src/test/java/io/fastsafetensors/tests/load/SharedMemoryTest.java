package io.fastsafetensors.tests.load;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Distribution;
import io.fastsafetensors.api.LoadPlan;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.ShardSpec;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.testkit.fault.FaultPlan;
import io.fastsafetensors.testkit.fixture.SafetensorsFixture;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// The device memory that ranks hold together at most, measured where it is allocated, against what their plans say.
@Timeout(600)
class SharedMemoryTest {
    private static final int RANKS = 3;
    private static final long ROWS = 96;
    private static final long COLUMNS = 3 * 512;
    /// Of a tensor.
    private static final long BYTES = ROWS * COLUMNS * 2;
    private static final int FILES = 3;
    private static final int EACH = 8;
    private static final long WHOLE = FILES * EACH * BYTES;

    @TempDir
    private Path directory;
    private final List<Path> files = new ArrayList<>();

    @BeforeEach
    void write() throws InterruptedException {
        RemoteProvider.behave(FaultPlan.seeded(1));
        for (int f = 0; f < FILES; f++) {
            SafetensorsFixture file = SafetensorsFixture.create();
            for (int t = 0; t < EACH; t++) {
                file.tensor("t" + f + "." + t, DType.BF16, Shape.of(ROWS, COLUMNS), f * 10L + t);
            }
            files.add(file.write(directory.resolve("m" + f + ".safetensors")).path());
        }
        // What an earlier test dropped unclosed, a cleaner frees some time.
        while (MeteredProvider.live() != 0) {
            System.gc();
            Thread.sleep(20);
        }
        MeteredProvider.peak();
    }

    private List<LoadPlan> load(Distribution way, ShardSpec spec) {
        return Ranks.all(RANKS, group -> {
            LoaderBuilder builder = Ranks.builder("remote", group).distribution(way).shards(spec);
            try (Loader loader = builder.build(); Weights weights = loader.load(files)) {
                weights.awaitAll();
                group.barrier();
                return weights.plan();
            }
        });
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1})
    void parts_take_their_own_memory_and_no_more(int dim) {
        List<LoadPlan> plans = load(Distribution.LOCAL, ShardSpec.of(Map.of("*", dim)));
        long planned = plans.stream().mapToLong(LoadPlan::deviceBytes).sum();
        assertEquals(WHOLE, planned);
        assertEquals(planned, MeteredProvider.peak());
        assertTrue(plans.getFirst().describe().contains("memory: " + WHOLE / RANKS + " device bytes"),
                plans.getFirst().describe());
    }

    @Test
    void striped_ranks_hold_everything_and_no_more() {
        List<LoadPlan> plans = load(Distribution.STRIPED, ShardSpec.of(Map.of()));
        assertEquals(RANKS * WHOLE, plans.stream().mapToLong(LoadPlan::deviceBytes).sum());
        assertEquals(RANKS * WHOLE, MeteredProvider.peak());
    }

    /// Each owner holds its file, what it was given so far, and one tensor that is being cut.
    @ParameterizedTest
    @ValueSource(ints = {-1, 0, 1})
    void owners_hold_their_files_the_results_and_one_tensor(int dim) {
        Ranks.all(RANKS, group -> {
            try (Loader loader = Ranks.builder("remote", group).distribution(Distribution.OWNER).build();
                    Weights weights = loader.load(files)) {
                weights.awaitAll();
                group.barrier();
                assertEquals(WHOLE, MeteredProvider.live());
                group.barrier();
                List<Tensor> results = new ArrayList<>();
                for (String name : weights.names()) {
                    results.add(weights.getSharded(name, dim));
                }
                group.barrier();
                long mine = dim < 0 ? WHOLE : WHOLE / RANKS;
                assertEquals(mine, results.stream().mapToLong(Tensor::byteSize).sum());
                assertEquals(RANKS * mine, MeteredProvider.live(), "files that were handed out are gone");
                // Nobody closes what another rank still counts.
                group.barrier();
                return true;
            }
        });
        long results = dim < 0 ? RANKS * WHOLE : WHOLE;
        long peak = MeteredProvider.peak();
        assertTrue(peak <= WHOLE / FILES + results + RANKS * BYTES, "peak " + peak + " of " + WHOLE + " to load");
    }

    /// Beside files and results, the cut tensors of one file, or of two while one rank is ahead of another.
    @Test
    void getting_all_cuts_one_file_at_a_time() {
        Ranks.all(RANKS, group -> {
            try (Loader loader = Ranks.builder("remote", group).distribution(Distribution.OWNER).build();
                    Weights weights = loader.load(files)) {
                Map<String, Integer> dims = new LinkedHashMap<>();
                weights.names().forEach(name -> dims.put(name, 1));
                weights.getAll(dims);
                return true;
            }
        });
        long peak = MeteredProvider.peak();
        assertTrue(peak <= 2 * WHOLE + 2 * WHOLE / FILES, "peak " + peak + " of " + WHOLE + " to load");
    }
}
