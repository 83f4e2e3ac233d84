package io.fastsafetensors.tests.load;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Distribution;
import io.fastsafetensors.api.GetOptions;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.BackendUnavailableException;
import io.fastsafetensors.error.FstException;
import io.fastsafetensors.error.GroupException;
import io.fastsafetensors.error.OutOfDeviceMemoryException;
import io.fastsafetensors.error.SliceException;
import io.fastsafetensors.error.TensorNotFoundException;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.testkit.fault.FaultPlan;
import io.fastsafetensors.testkit.fault.OpenObjects;
import io.fastsafetensors.testkit.fault.Operation;
import io.fastsafetensors.testkit.fixture.SafetensorsFixture;
import io.fastsafetensors.tests.load.Ranks.Outcome;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Shape;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/// A call that some ranks cannot carry out fails on all, and the group goes on: with the next call and with the next load.
@Timeout(600)
class SharedRefusalTest {
    /// Longer than any test: who waits for it has missed the reason.
    private static final Duration NEVER = Duration.ofMinutes(10);
    private static final int RANKS = 4;
    private static final long SEED = Long.getLong("fst.seed", 20261130);

    @TempDir
    private Path directory;
    private OpenObjects objects = new OpenObjects();
    private List<Path> files = List.of();

    @BeforeEach
    void write() throws IOException {
        objects = RemoteProvider.behave(FaultPlan.seeded(SEED));
        files = List.of(
                SafetensorsFixture.create().tensor("pair", DType.F4, Shape.of(2), SEED)
                        .tensor("pairs", DType.F4, Shape.of(2), SEED + 1).tensor("odd", DType.U8, Shape.of(3), SEED + 2)
                        .write(directory.resolve("model-0.safetensors")).path(),
                SafetensorsFixture.create().tensor("w", DType.F32, Shape.of(8, 6), SEED + 3)
                        .tensor("v", DType.F32, Shape.of(8, 6), SEED + 4)
                        .write(directory.resolve("model-1.safetensors")).path());
    }

    @AfterEach
    void nothing_is_left() {
        assertEquals(Map.of(), objects.counts(), () -> objects.describe());
    }

    private interface Call {
        Object on(Weights weights, int rank);
    }

    /// @param everywhere what every rank throws, if all throw the same
    /// @param rank whose call cannot be carried out, where the others throw [GroupException]
    private record Refusal(String name, Call call, Class<? extends Exception> type, boolean everywhere, int rank) {
        @Override
        public String toString() {
            return name;
        }
    }

    private static Refusal everywhere(String name, Class<? extends Exception> type, Call call) {
        return new Refusal(name, call, type, true, -1);
    }

    /// Only rank 2 asks for what cannot be.
    private static Refusal onOne(String name, Class<? extends Exception> type, Call wrong, Call right) {
        return new Refusal(name, (weights, rank) -> rank == 2 ? wrong.on(weights, rank) : right.on(weights, rank), type,
                false, 2);
    }

    private static Map<String, Integer> dims(String... names) {
        Map<String, Integer> dims = new LinkedHashMap<>();
        for (String name : names) {
            dims.put(name, 0);
        }
        return dims;
    }

    static Stream<Refusal> refusals() {
        Call sharded = (w, _) -> w.getSharded("w", 0);
        return Stream.of(
                everywhere("a part that cuts a byte", SliceException.class, (w, _) -> w.getSharded("pair", 0)),
                everywhere("a joined part that cuts a byte", SliceException.class,
                        (w, _) -> w.getShardedConcat(List.of("pair", "pairs"), 0)),
                everywhere("one of many parts cuts a byte", SliceException.class,
                        (w, _) -> w.getAll(dims("w", "odd", "pair"))),
                everywhere("a converted part that does not fill a byte", UnsupportedFeatureException.class,
                        (w, _) -> w.getSharded("odd", 0, GetOptions.as(DType.F4))),
                everywhere("a converted whole that does not fill a byte, for one rank",
                        UnsupportedFeatureException.class,
                        (w, _) -> w.push("odd", 1, GetOptions.as(DType.F4))),
                everywhere("no such dimension", SliceException.class, (w, _) -> w.getSharded("w", 2)),
                everywhere("no such tensor", TensorNotFoundException.class, (w, _) -> w.get("x")),
                everywhere("no such rank", IllegalArgumentException.class, (w, _) -> w.push("w", RANKS)),
                onOne("no such dimension on one rank", SliceException.class, (w, _) -> w.getSharded("w", 7), sharded),
                onOne("no such tensor on one rank", TensorNotFoundException.class, (w, _) -> w.getSharded("x", 0),
                        sharded),
                onOne("no such rank on one rank", IllegalArgumentException.class, (w, _) -> w.push("w", -1),
                        (w, _) -> w.push("w", 1)),
                onOne("nothing to join on one rank", IllegalArgumentException.class,
                        (w, _) -> w.getShardedConcat(List.of(), 0), (w, _) -> w.getShardedConcat(List.of("w", "v"), 0)),
                onOne("one of many that is not there on one rank", TensorNotFoundException.class,
                        (w, _) -> w.getAll(dims("w", "x")), (w, _) -> w.getAll(dims("w", "v"))),
                onOne("a device that is not there on one rank", BackendUnavailableException.class,
                        (w, _) -> w.get("w", GetOptions.on(Device.parse("nowhere:0"))), (w, _) -> w.get("w")));
    }

    private boolean goesOn(Loader loader, Weights weights) {
        try (Tensor part = weights.getSharded("v", 0)) {
            assertEquals(Shape.of(2, 6), part.shape());
        }
        weights.awaitAll();
        try (Weights again = loader.load(files)) {
            again.awaitAll();
        }
        return true;
    }

    private static void refused(Refusal refusal, Weights weights, int rank) {
        boolean own = refusal.everywhere() || rank == refusal.rank();
        Class<? extends Exception> type = own ? refusal.type() : GroupException.class;
        Exception e = assertThrows(type, () -> refusal.call().on(weights, rank));
        assertTrue(own || e.getMessage().contains("rank " + refusal.rank() + " failed in "), e::toString);
    }

    @ParameterizedTest
    @MethodSource("refusals")
    void what_owners_cannot_hand_out_is_refused_on_every_rank(Refusal refusal) {
        List<Outcome<Boolean>> outcomes = Ranks.run(RANKS, NEVER, group -> {
            try (Loader loader = Ranks.builder("remote", group).distribution(Distribution.OWNER).build();
                    Weights weights = loader.load(files)) {
                refused(refusal, weights, group.rank());
                return goesOn(loader, weights);
            }
        });
        outcomes.forEach(Outcome::get);
    }

    @ParameterizedTest
    @EnumSource(value = Distribution.class, names = {"STRIPED", "LOCAL"})
    void what_each_rank_has_is_refused_on_every_rank(Distribution distribution) {
        List<Outcome<Boolean>> outcomes = Ranks.run(RANKS, NEVER, group -> {
            try (Loader loader = Ranks.builder("remote", group).distribution(distribution).build();
                    Weights weights = loader.load(files)) {
                for (Refusal refusal : refusals().filter(Refusal::everywhere).limit(3).toList()) {
                    refused(refusal, weights, group.rank());
                }
                return goesOn(loader, weights);
            }
        });
        outcomes.forEach(Outcome::get);
    }

    /// A conversion, a joining: what comes after the bytes have moved.
    @ParameterizedTest
    @EnumSource(value = Operation.class, names = {"KERNEL", "ALLOCATE"})
    void a_conversion_that_fails_on_one_rank_fails_on_all(Operation operation) {
        // The files of a rank are one allocation, and what it gets is another: the next is the conversion's.
        int before = operation == Operation.KERNEL ? 0 : files.size() + RANKS - 1;
        objects = RemoteProvider.behave(FaultPlan.seeded(SEED).fail(operation, before + 1));
        List<Outcome<Boolean>> outcomes = Ranks.run(RANKS, NEVER, group -> {
            try (Loader loader = Ranks.builder("remote", group).distribution(Distribution.OWNER).build();
                    Weights weights = loader.load(files)) {
                assertThrows(FstException.class,
                        () -> weights.get("w", GetOptions.as(DType.BF16)));
                return goesOn(loader, weights);
            }
        });
        outcomes.forEach(Outcome::get);
    }

    @ParameterizedTest
    @EnumSource(value = Distribution.class, names = {"OWNER", "STRIPED"})
    void memory_that_one_rank_does_not_get_is_an_error_on_all(Distribution distribution) {
        objects = RemoteProvider.behave(FaultPlan.seeded(SEED).fail(Operation.ALLOCATE, 1));
        List<Outcome<Boolean>> outcomes = Ranks.run(RANKS, NEVER, group -> {
            try (Loader loader = Ranks.builder("remote", group).distribution(distribution).build()) {
                Exception e = assertThrows(Exception.class, () -> loader.load(files).close());
                assertTrue(e instanceof OutOfDeviceMemoryException || e instanceof BackendException
                        || e.getMessage().contains(" failed in the start of a load"), e::toString);
                try (Weights weights = loader.load(files)) {
                    return goesOn(loader, weights);
                }
            }
        });
        outcomes.forEach(Outcome::get);
    }

    @Test
    void files_for_a_rank_that_is_not_there_are_refused_on_every_rank() {
        List<Outcome<Boolean>> outcomes = Ranks.run(RANKS, NEVER, group -> {
            try (Loader loader = Ranks.builder("remote", group).distribution(Distribution.OWNER).build()) {
                Map<Integer, List<Path>> owners = Map.of(group.rank() == 1 ? RANKS : 0, files);
                Class<? extends Exception> type =
                        group.rank() == 1 ? IllegalArgumentException.class : GroupException.class;
                assertThrows(type, () -> loader.load(owners));
                try (Weights weights = loader.load(Map.of(0, files))) {
                    return goesOn(loader, weights);
                }
            }
        });
        outcomes.forEach(Outcome::get);
    }

    /// A selection is the user's code: it may fail on one rank, at any time.
    @ParameterizedTest
    @EnumSource(Distribution.class)
    void a_selection_that_fails_on_one_rank_is_an_error_on_all(Distribution distribution) {
        for (int nth = 1; nth <= 12; nth++) {
            int last = nth;
            List<Outcome<Boolean>> outcomes = Ranks.run(RANKS, NEVER, group -> {
                int[] asked = {0};
                try (Loader loader = Ranks.builder("remote", group).distribution(distribution).select(tensor -> {
                    if (group.rank() == 3 && ++asked[0] == last) {
                        throw new IllegalStateException("a selection that fails");
                    }
                    return true;
                }).build()) {
                    try (Weights weights = loader.load(files)) {
                        weights.awaitAll();
                    } catch (IllegalStateException | GroupException e) {
                        assertTrue(e.getMessage().contains("a selection that fails"), e::toString);
                    }
                    asked[0] = last;
                    try (Weights weights = loader.load(files)) {
                        return goesOn(loader, weights);
                    }
                }
            });
            outcomes.forEach(Outcome::get);
        }
    }
}
