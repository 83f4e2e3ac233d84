package io.fastsafetensors.tests.load;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.fail;

import io.fastsafetensors.api.Distribution;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.StreamOptions;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.TensorStream;
import io.fastsafetensors.api.TransferPath;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.error.GroupException;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.group.ProcessGroups;
import io.fastsafetensors.testkit.fault.FaultPlan;
import io.fastsafetensors.testkit.fault.OpenObjects;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// Loaders, weights, streams, tensors and groups are closed by other threads at any moment of what goes on: each call does
/// what it should or throws what is documented, and nothing is left.
@Timeout(1800)
@Tag("slow")
class CloseAnytimeTest {
    private static final long SEED = Long.getLong("fst.seed", System.nanoTime());
    /// Of each of twelve kinds and scenarios; with `-Dfst.rounds=170` there are 2,040.
    private static final int ROUNDS = Integer.getInteger("fst.rounds", 20);
    private static final int FEW_ROUNDS = 3;
    private static final int TENSORS = 5;
    private static final int BYTES = 50_000;
    private static final int RANKS = 2;
    private static final long MOST_NANOS = TimeUnit.MILLISECONDS.toNanos(5);
    private static final long PATIENCE_MILLIS = 60_000;

    @TempDir
    Path directory;

    private Path file;
    private Map<String, String> digests;

    private enum Kind {
        NEAR, MAPPED, DEFERRED, REMOTE;

        TransferPath path() {
            return this == MAPPED ? TransferPath.MAPPED : TransferPath.AUTO;
        }

        /// Tensors stay where their file has them if nobody asks for more than that.
        long alignment() {
            return this == MAPPED ? 1 : 0;
        }

        Device device() {
            return this == REMOTE ? RemoteProvider.DEVICE : NearProvider.DEVICE;
        }

        OpenObjects behave(long seed) {
            FaultPlan plan = FaultPlan.seeded(seed);
            return switch (this) {
                case NEAR, MAPPED -> NearProvider.behave(plan);
                case DEFERRED -> NearProvider.behave(plan.deferred());
                case REMOTE -> RemoteProvider.behave(plan);
            };
        }
    }

    private enum Scenario {
        LOAD, STREAM, REWRITE, SHARED
    }

    @BeforeEach
    void write() {
        file = directory.resolve("model.safetensors");
        digests = Samples.write(file, TENSORS, BYTES, 3);
    }

    private static Stream<Arguments> everything() {
        return Stream.of(Kind.values())
                .flatMap(kind -> Stream.of(Scenario.values()).map(scenario -> Arguments.of(kind, scenario)));
    }

    @ParameterizedTest
    @MethodSource("everything")
    @Tag("slow")
    void what_is_closed_at_any_moment_leaves_nothing(Kind kind, Scenario scenario) throws IOException {
        rounds(kind, scenario, ROUNDS);
    }

    @ParameterizedTest
    @MethodSource("everything")
    void what_is_closed_at_some_moments_leaves_nothing(Kind kind, Scenario scenario) throws IOException {
        rounds(kind, scenario, FEW_ROUNDS);
    }

    private void rounds(Kind kind, Scenario scenario, int rounds) throws IOException {
        OpenObjects objects = kind.behave(SEED);
        for (int i = 0; i < rounds; i++) {
            Round round = new Round(SEED + i, kind + " " + scenario + ", fst.seed " + SEED + ", round " + i);
            switch (scenario) {
                case LOAD -> load(kind, round);
                case STREAM -> stream(kind, round);
                case REWRITE -> rewrite(kind, round);
                case SHARED -> shared(kind, round);
            }
            Remains.assertNone(objects, directory, () -> round.what);
        }
    }

    /// The threads of one round, and what they must not throw.
    private static final class Round {
        private final SplittableRandom random;
        private final String what;
        private final List<Thread> threads = new ArrayList<>();
        private final ConcurrentLinkedQueue<Throwable> undocumented = new ConcurrentLinkedQueue<>();

        Round(long seed, String what) {
            this.random = new SplittableRandom(seed);
            this.what = what;
        }

        void run(Runnable work) {
            threads.add(Thread.ofPlatform().daemon().start(() -> {
                try {
                    work.run();
                } catch (RuntimeException | Error e) {
                    undocumented.add(e);
                }
            }));
        }

        /// Closes what comes, at a random moment after that; no close throws.
        void close(CompletableFuture<? extends AutoCloseable> coming) {
            long pause = random.nextLong(MOST_NANOS);
            run(() -> {
                try (AutoCloseable closed = coming.join()) {
                    if (closed != null) {
                        LockSupport.parkNanos(pause);
                    }
                } catch (RuntimeException e) {
                    throw e;
                } catch (Exception e) {
                    throw new AssertionError(e);
                }
            });
        }

        boolean chance() {
            return random.nextBoolean();
        }

        void end() {
            for (Thread thread : threads) {
                try {
                    thread.join(PATIENCE_MILLIS);
                } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                }
                if (thread.isAlive()) {
                    StringBuilder stacks = new StringBuilder(what + " hangs");
                    Thread.getAllStackTraces().forEach((each, frames) -> stacks.append('\n').append(each).append("\n  ")
                            .append(String.join("\n  ", Stream.of(frames).map(String::valueOf).toList())));
                    fail(stacks.toString());
                }
            }
            for (Throwable e : undocumented) {
                throw new AssertionError(what, e);
            }
        }
    }

    /// Something that may be refused because what it is asked of is closed.
    ///
    /// @return what it gives, null if it was refused
    private static <T> T unlessClosed(boolean mayBeClosed, Supplier<T> work) {
        try {
            return work.get();
        } catch (IllegalStateException e) {
            if (mayBeClosed && e.getMessage().contains("closed")) {
                return null;
            }
            throw e;
        }
    }

    private Loader loader(Kind kind, Round round, Optional<ProcessGroup> group, Distribution distribution) {
        LoaderBuilder builder = Loader.builder().device(kind.device()).transferPath(kind.path())
                .alignment(kind.alignment()).blockBytes(8 << 10)
                .distribution(distribution);
        group.ifPresent(builder::group);
        return (round.chance() ? builder : builder.progress((done, total) -> Thread.yield())).build();
    }

    private void requireRight(String name, Tensor tensor) {
        try (Arena arena = Arena.ofShared()) {
            MemorySegment copy = arena.allocate(tensor.byteSize());
            tensor.copyTo(copy);
            assertEquals(digests.get(name), Samples.digest(copy), name);
        }
    }

    private void use(Weights weights, CompletableFuture<Tensor> kept) {
        for (String name : weights.names()) {
            Tensor tensor = weights.get(name);
            if (!kept.isDone()) {
                kept.complete(tensor.detach());
            }
            requireRight(name, tensor);
            tensor.to(DType.F16).close();
        }
        weights.awaitAll();
        weights.stats();
    }

    private void load(Kind kind, Round round) {
        Loader loader = loader(kind, round, Optional.empty(), Distribution.AUTO);
        CompletableFuture<Weights> loaded = new CompletableFuture<>();
        CompletableFuture<Tensor> kept = new CompletableFuture<>();
        boolean closesWeights = round.chance();
        round.close(CompletableFuture.completedFuture(loader));
        if (closesWeights) {
            round.close(loaded);
            round.close(loaded);
        }
        round.close(kept);
        round.run(() -> {
            try {
                loaded.complete(unlessClosed(true, () -> loader.load(file)));
                if (loaded.join() != null) {
                    unlessClosed(closesWeights, () -> {
                        use(loaded.join(), kept);
                        return true;
                    });
                    loaded.join().close();
                }
            } finally {
                loaded.complete(null);
                kept.complete(null);
            }
        });
        round.end();
    }

    private void stream(Kind kind, Round round) {
        Loader loader = Loader.builder().device(kind.device()).transferPath(kind.path()).alignment(kind.alignment())
                .blockBytes(8 << 10)
                .deviceBudget(4L * BYTES).build();
        CompletableFuture<TensorStream> opened = new CompletableFuture<>();
        boolean closesStream = round.chance();
        boolean owned = round.chance();
        int ahead = round.random.nextInt(-1, 2);
        round.close(CompletableFuture.completedFuture(loader));
        if (closesStream) {
            round.close(opened);
            round.close(opened);
        }
        round.run(() -> {
            try {
                opened.complete(unlessClosed(true, () -> loader.stream(file, new StreamOptions(ahead, owned))));
                TensorStream stream = opened.join();
                if (stream != null) {
                    unlessClosed(closesStream, () -> {
                        for (Tensor tensor : stream) {
                            try (tensor) {
                                requireRight(tensor.name(), tensor);
                            }
                        }
                        return true;
                    });
                    stream.close();
                }
            } finally {
                opened.complete(null);
            }
        });
        round.end();
    }

    private void rewrite(Kind kind, Round round) throws IOException {
        Path copy = directory.resolve("copy.safetensors");
        Files.deleteIfExists(copy);
        Loader loader = loader(kind, round, Optional.empty(), Distribution.AUTO);
        CompletableFuture<List<Path>> written = new CompletableFuture<>();
        round.close(CompletableFuture.completedFuture(loader));
        round.run(() -> {
            try {
                written.complete(unlessClosed(true, () -> loader.rewrite(file, copy, WriteOptions.defaults())));
            } finally {
                written.complete(null);
            }
        });
        round.end();
        assertEquals(written.join() != null, Files.exists(copy), round.what);
        if (written.join() != null) {
            assertEquals(-1, Files.mismatch(file, copy), round.what);
        }
    }

    private void shared(Kind kind, Round round) {
        List<ProcessGroup> groups = ProcessGroups.local(RANKS, Duration.ofSeconds(30));
        Distribution way = Distribution.values()[round.random.nextInt(Distribution.values().length)];
        for (ProcessGroup group : groups) {
            Loader loader = loader(kind, round, Optional.of(group), way);
            CompletableFuture<Weights> loaded = new CompletableFuture<>();
            CompletableFuture<Tensor> kept = new CompletableFuture<>();
            round.close(CompletableFuture.completedFuture(loader));
            if (round.chance()) {
                round.close(loaded);
            }
            if (round.chance()) {
                round.close(CompletableFuture.completedFuture(group));
            }
            round.close(kept);
            round.run(() -> {
                try {
                    loaded.complete(loader.load(file));
                    use(loaded.join(), kept);
                } catch (GroupException e) {
                    // A rank left, or could not go on.
                } catch (IllegalStateException e) {
                    if (!e.getMessage().contains("closed")) {
                        throw e;
                    }
                } finally {
                    loaded.complete(null);
                    kept.complete(null);
                    if (loaded.join() != null) {
                        loaded.join().close();
                    }
                    // The others must not wait for a rank that does not come any more.
                    group.close();
                }
            });
        }
        round.end();
    }
}
