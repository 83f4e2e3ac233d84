package io.fastsafetensors.tests.load;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Distribution;
import io.fastsafetensors.api.GetOptions;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.Selection;
import io.fastsafetensors.api.ShardSpec;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.tests.load.Ranks.Outcome;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.BudgetException;
import io.fastsafetensors.error.FstException;
import io.fastsafetensors.error.GroupException;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.testkit.fault.FaultPlan;
import io.fastsafetensors.testkit.fault.OpenObjects;
import io.fastsafetensors.testkit.fault.Operation;
import io.fastsafetensors.testkit.fixture.SafetensorsFixture;
import io.fastsafetensors.testkit.leak.LeakExtension;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.reflect.Proxy;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/// A failure of one rank is an error on all, at once where the reason is known, and leaves nothing.
@Timeout(600)
class SharedFailureTest {
    private static final long SEED = Long.getLong("fst.seed", 20261123);
    /// Longer than any test: who waits for it has missed the reason.
    private static final Duration NEVER = Duration.ofMinutes(10);
    private static final Duration SHORT = Duration.ofSeconds(3);
    private static final int RANKS = 3;

    @TempDir
    private Path directory;
    @RegisterExtension
    final LeakExtension leaks = LeakExtension.strict().memoryTolerance(400L << 20);
    private OpenObjects objects = new OpenObjects();

    @BeforeEach
    void wellBehaved() {
        objects = RemoteProvider.behave(FaultPlan.seeded(SEED));
    }

    @AfterEach
    void nothingIsLeft() {
        assertEquals(Map.of(), objects.counts(), () -> objects.describe());
    }

    /// The same three files, in a folder of each rank's own.
    private List<Path> copies(int rank) {
        List<Path> files = new ArrayList<>();
        try {
            Path own = Files.createDirectories(directory.resolve("rank" + rank));
            for (int f = 0; f < 3; f++) {
                SafetensorsFixture file = SafetensorsFixture.create();
                for (int t = 0; t < 4; t++) {
                    file.tensor("t" + f + "." + t, DType.BF16, Shape.of(64, 997), SEED + f * 10 + t);
                }
                files.add(file.write(own.resolve("model-" + f + ".safetensors")).path());
            }
            return files;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static LoaderBuilder builder(ProcessGroup group, Distribution way) {
        return Ranks.builder("remote", group).distribution(way);
    }

    private static boolean loadAll(LoaderBuilder builder, List<Path> files) {
        try (Loader loader = builder.build(); Weights weights = loader.load(files)) {
            weights.awaitAll();
            return true;
        }
    }

    @ParameterizedTest
    @EnumSource(Distribution.class)
    void another_file_on_one_rank_fails_on_all(Distribution way) {
        List<Outcome<Boolean>> outcomes = Ranks.run(RANKS, NEVER, group -> {
            List<Path> files = copies(group.rank());
            if (group.rank() == 1) {
                SafetensorsFixture.create().tensor("t1.0", DType.BF16, Shape.of(64, 998), 1).write(files.get(1));
            }
            return loadAll(builder(group, way), files);
        });
        outcomes.forEach(o -> o.failedWith(GroupException.class, "the ranks disagree in load", "file 1: rank 0 has",
                "rank 1 has model-1.safetensors of ", "selected tensors"));
    }

    @ParameterizedTest
    @EnumSource(Distribution.class)
    void another_option_on_one_rank(Distribution way) {
        List<Outcome<Boolean>> outcomes = Ranks.run(RANKS, NEVER, group -> {
            LoaderBuilder builder = builder(group, way);
            if (group.rank() == 2) {
                builder.dtype(DType.F32).shards(ShardSpec.of(Map.of("*", 0)));
            }
            return loadAll(builder, copies(group.rank()));
        });
        outcomes.forEach(o -> o.failedWith(GroupException.class,
                "option dtype: rank 0 has as in the files, rank 2 has F32", "option shards: rank 0 has none"));
    }

    @ParameterizedTest
    @EnumSource(Distribution.class)
    void a_file_that_is_missing_on_one_rank(Distribution way) {
        List<Outcome<Boolean>> outcomes = Ranks.run(RANKS, NEVER, group -> {
            List<Path> files = copies(group.rank());
            if (group.rank() == 0) {
                Files.delete(files.get(2));
            }
            return loadAll(builder(group, way), files);
        });
        outcomes.get(0).failedWith(StorageException.class, "model-2.safetensors");
        outcomes.get(1).failedWith(GroupException.class, "rank 0 failed in load: StorageException", "model-2");
        outcomes.get(2).failedWith(GroupException.class, "rank 0 failed in load: StorageException", "model-2");
    }

    @ParameterizedTest
    @EnumSource(value = Distribution.class, names = {"OWNER", "STRIPED"})
    void a_disk_that_fails_on_one_rank(Distribution way) {
        List<Outcome<Boolean>> outcomes = Ranks.run(RANKS, NEVER, group -> {
            List<Path> files = copies(group.rank());
            AtomicBoolean first = new AtomicBoolean(group.rank() == 1);
            // Asked when the headers are read and nothing else is.
            Selection selection = tensor -> {
                if (first.getAndSet(false)) {
                    files.forEach(SharedFailureTest::cut);
                }
                return true;
            };
            return loadAll(builder(group, way).select(selection), files);
        });
        outcomes.get(1).failedWith(StorageException.class, "the file shrank");
        outcomes.get(0).failedWith(GroupException.class, "rank 1 failed in ", "the file shrank");
        outcomes.get(2).failedWith(GroupException.class, "rank 1 failed in ", "the file shrank");
    }

    private static void cut(Path file) {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            channel.truncate(channel.size() - 100_000);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @ParameterizedTest
    @CsvSource({"OWNER,ALLOCATE,2", "OWNER,COPY_TO_DEVICE,5", "OWNER,OPEN_STREAM,3", "OWNER,KERNEL,1",
        "STRIPED,ALLOCATE,5", "STRIPED,COPY_TO_DEVICE,17", "STRIPED,COPY_TO_HOST,7", "STRIPED,OPEN_STREAM,2",
        "STRIPED,FENCE,20"})
    void a_device_that_fails_on_one_rank(Distribution way, Operation operation, int nth) {
        List<Path> files = copies(0);
        objects = RemoteProvider.behave(FaultPlan.seeded(SEED).fail(operation, nth));
        List<Outcome<Boolean>> outcomes = Ranks.run(RANKS, NEVER, group -> {
            try (Loader loader = builder(group, way).build(); Weights weights = loader.load(files)) {
                weights.awaitAll();
                weights.names().forEach(name -> weights.getSharded(name, 1));
                return true;
            }
        });
        long failed = outcomes.stream().filter(o -> o.failure().isPresent()).count();
        boolean local = way == Distribution.STRIPED && operation == Operation.KERNEL;
        assertTrue(failed == RANKS || local, () -> failed + " ranks failed: " + outcomes);
        outcomes.stream().flatMap(o -> o.failure().stream()).forEach(e -> assertTrue(
                e instanceof FstException && (e.getMessage().contains("injected fault")
                        || e.getMessage().contains("out of memory") || e.getMessage().contains("left the group")),
                e::toString));
        assertTrue(outcomes.stream().flatMap(o -> o.failure().stream()).anyMatch(e -> !(e instanceof GroupException)
                || e.getCause() instanceof BackendException), outcomes::toString);
    }

    @Test
    void a_rank_that_closes_its_striped_weights_ends_the_others() {
        List<Outcome<Boolean>> outcomes = Ranks.run(RANKS, NEVER, group -> {
            try (Loader loader = builder(group, Distribution.STRIPED).blockBytes(4096).build();
                    Weights weights = loader.load(copies(group.rank()))) {
                if (group.rank() == 2) {
                    return true;
                }
                weights.awaitAll();
                return false;
            }
        });
        assertTrue(outcomes.get(2).get());
        for (Outcome<Boolean> other : outcomes.subList(0, 2)) {
            if (other.failure().isPresent()) {
                other.failedWith(GroupException.class, "rank 2 failed in the exchange of blocks", "is closed");
            }
        }
    }

    @Test
    void a_call_that_one_rank_skips_ends_with_the_timeout_and_its_name() {
        List<Path> files = copies(0);
        CountDownLatch others = new CountDownLatch(2);
        List<Outcome<Boolean>> outcomes = Ranks.run(RANKS, SHORT, group -> {
            try (Loader loader = builder(group, Distribution.OWNER).build(); Weights weights = loader.load(files)) {
                weights.get("t0.0");
                if (group.rank() == 1) {
                    others.await();
                } else {
                    weights.getSharded("t1.2", 0);
                }
                return true;
            } finally {
                others.countDown();
            }
        });
        assertTrue(outcomes.get(1).get());
        outcomes.get(0).failedWith(GroupException.class, "getSharded(\"t1.2\", 0): ",
                "rank 1 did not come within 3.0 s");
        outcomes.get(2).failedWith(GroupException.class, "getSharded(\"t1.2\", 0): ",
                "rank 1 did not come within 3.0 s");
    }

    @Test
    void different_calls_are_named_on_every_rank() {
        List<Path> files = copies(0);
        List<Outcome<Boolean>> outcomes = Ranks.run(2, NEVER, group -> {
            try (Loader loader = builder(group, Distribution.OWNER).build(); Weights weights = loader.load(files)) {
                weights.get("t0.0", group.rank() == 0 ? GetOptions.asLoaded() : GetOptions.as(DType.F32));
                return true;
            }
        });
        outcomes.forEach(o -> o.failedWith(GroupException.class, "rank 0 calls get(\"t0.0\") as step",
                "rank 1 calls get(\"t0.0\") as F32 as step"));
    }

    @Test
    void the_smallest_budget_counts() {
        List<Path> files = copies(0);
        List<Outcome<Boolean>> outcomes = Ranks.run(RANKS, NEVER, group -> loadAll(
                builder(group, Distribution.STRIPED).deviceBudget(group.rank() == 1 ? 100_000 : 1 << 30), files));
        outcomes.forEach(o -> o.failedWith(BudgetException.class, "100000"));
    }

    @Test
    void what_cannot_be_shared_is_refused() {
        ProcessGroup deaf = (ProcessGroup) Proxy.newProxyInstance(getClass().getClassLoader(),
                new Class<?>[] {ProcessGroup.class}, (_, method, arguments) -> switch (method.getName()) {
                    case "size" -> 2;
                    case "rank" -> 0;
                    case "moves" -> false;
                    case "transport" -> "deaf";
                    case "exchange" -> List.of((byte[]) arguments[0], (byte[]) arguments[0]);
                    default -> throw new AssertionError(method.getName());
                });
        List<Path> files = copies(0);
        for (Distribution way : List.of(Distribution.OWNER, Distribution.STRIPED)) {
            UnsupportedFeatureException e = assertThrows(UnsupportedFeatureException.class,
                    () -> loadAll(builder(deaf, way), files));
            assertTrue(e.getMessage().contains("transport deaf does not move remote memory"), e.getMessage());
        }
        try (Loader loader = builder(deaf, Distribution.AUTO).build(); Weights weights = loader.load(files)) {
            assertEquals(Distribution.LOCAL, weights.plan().sharing().orElseThrow().distribution());
            assertTrue(weights.plan().describe().contains("transport deaf does not move remote memory"));
        }
        try (Loader loader = builder(deaf, Distribution.AUTO).build()) {
            assertThrows(UnsupportedFeatureException.class,
                    () -> loader.rewrite(files.getFirst(), directory.resolve("copy"), WriteOptions.defaults()));
            assertThrows(IllegalArgumentException.class, () -> loader.load(Map.of(2, files)));
        }
    }
}
