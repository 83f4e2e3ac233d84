package io.fastsafetensors.tests.load;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.DirectIo;
import io.fastsafetensors.api.Distribution;
import io.fastsafetensors.api.LoadStats;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.Selection;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.testkit.fixture.Content;
import io.fastsafetensors.testkit.fixture.SafetensorsFixture;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/// The reads of a mixture of experts when one rank's experts are wanted.
class SelectionTest {
    private static final int LAYERS = 3;
    private static final int EXPERTS = 8;
    private static final List<String> MATRICES = List.of("w1", "w2", "w3");
    /// Rows and columns of an expert's matrix: 1 MiB in BF16.
    private static final Shape MATRIX = Shape.of(512, 1024);
    private static final Shape SCALE = Shape.of(1024);

    @TempDir
    Path directory;

    /// A checkpoint of 77 MiB that takes no room on the disk.
    ///
    /// @param interleaved the first matrix of every expert before the second of any, instead of expert by expert
    private Path mixture(boolean interleaved) {
        SafetensorsFixture file = SafetensorsFixture.create().dataStart(0, 8);
        for (int layer = 0; layer < LAYERS; layer++) {
            String prefix = "model.layers." + layer + ".mlp.";
            file.tensor(prefix + "gate.weight", DType.F32, Shape.of(EXPERTS, 1024), Content.hole());
            for (String name : names(interleaved)) {
                file.tensor(prefix + "experts." + name + ".weight", DType.BF16, MATRIX, Content.hole());
                file.tensor(prefix + "experts." + name + ".scale", DType.F32, SCALE, Content.hole());
            }
        }
        return file.write(directory.resolve("mixture.safetensors")).path();
    }

    private static List<String> names(boolean interleaved) {
        List<String> names = new ArrayList<>();
        for (int i = 0; i < EXPERTS * MATRICES.size(); i++) {
            names.add(interleaved ? i % EXPERTS + "." + MATRICES.get(i / EXPERTS)
                    : i / MATRICES.size() + "." + MATRICES.get(i % MATRICES.size()));
        }
        return names;
    }

    @ParameterizedTest
    @CsvSource({"false,NEVER", "false,ALWAYS", "true,NEVER", "true,ALWAYS"})
    void one_expert_of_eight_costs_its_own_bytes(boolean interleaved, DirectIo directIo) {
        Path checkpoint = mixture(interleaved);
        for (int rank : new int[] {0, 5, 7}) {
            Selection mine = Selection.experts(EXPERTS, rank, EXPERTS).and(Selection.glob("*.experts.*"));
            try (Loader loader = Loader.builder().select(mine).directIo(directIo).build();
                    Weights weights = loader.load(checkpoint)) {
                weights.awaitAll();
                assertEquals(LAYERS * MATRICES.size() * 2, weights.names().size());
                assertTrue(weights.names().stream().allMatch(name -> name.contains(".experts." + rank + ".")));
                LoadStats stats = weights.stats();
                double ratio = (double) stats.bytesRead() / stats.bytes();
                assertTrue(ratio >= 1 && ratio <= 1.02, "read " + stats.bytesRead() + " of " + stats.bytes());
                assertEquals(LAYERS * (interleaved ? MATRICES.size() : 1), weights.plan().files().getFirst().ranges());
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Distribution.class)
    void a_selection_of_one_load_counts_on_every_rank_and_for_that_load_only(Distribution way) {
        Path file = directory.resolve("model.safetensors");
        Map<String, String> all = Samples.write(file, 5, 10_000, 7);
        Ranks.all(3, group -> {
            try (Loader loader = Ranks.builder("cpu", group).distribution(way).build()) {
                try (Weights weights = loader.load(file, Selection.names("t1", "t4"))) {
                    assertEquals(Set.of("t1", "t4"), weights.names());
                    assertEquals(10_000, weights.get("t4").byteSize());
                    assertEquals(10_000, weights.get("t1").byteSize());
                }
                try (Weights weights = loader.load(file)) {
                    assertEquals(all.keySet(), weights.names());
                }
            }
            return true;
        });
    }
}
