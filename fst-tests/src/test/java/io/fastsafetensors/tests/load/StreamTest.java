package io.fastsafetensors.tests.load;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.StreamOptions;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.TensorStream;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.error.BudgetException;
import io.fastsafetensors.error.FstException;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.error.TensorNotFoundException;
import io.fastsafetensors.testkit.fault.FaultPlan;
import io.fastsafetensors.testkit.fault.OpenObjects;
import io.fastsafetensors.testkit.fault.Operation;
import io.fastsafetensors.testkit.leak.LeakExtension;
import io.fastsafetensors.types.DType;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/// Streams under a budget, near and far.
@Timeout(600)
@ExtendWith(LeakExtension.class)
class StreamTest {
    private static final long SEED = Long.getLong("fst.seed", 7);
    private static final int TENSOR = 100_000;

    @TempDir
    Path directory;
    private Map<String, String> digests = Map.of();
    private OpenObjects objects = RemoteProvider.behave(FaultPlan.seeded(SEED));

    @BeforeEach
    void write() {
        objects = RemoteProvider.behave(FaultPlan.seeded(SEED));
        digests = Samples.write(directory.resolve("model.safetensors"), 40, TENSOR, SEED);
    }

    @AfterEach
    void nothingIsLeft() {
        assertEquals(Map.of(), objects.counts(), () -> objects.describe());
    }

    private static LoaderBuilder loader(String device) {
        return Loader.builder().device(device);
    }

    private static String digest(Tensor tensor) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment copy = arena.allocate(tensor.byteSize());
            tensor.copyTo(copy);
            return Samples.digest(copy);
        }
    }

    @ParameterizedTest
    @CsvSource({"cpu,-1,5", "cpu,0,25", "cpu,1,100", "cpu,3,50", "remote,-1,5", "remote,0,10", "remote,1,25",
        "remote,4,100"})
    void every_tensor_comes_once_and_the_budget_holds(String device, int ahead, int percent) {
        long total = 40L * TENSOR;
        long budget = total * percent / 100 + 16 * 1024;
        AtomicLong progress = new AtomicLong();
        Map<String, String> seen = new TreeMap<>();
        try (Loader loader = loader(device).deviceBudget(budget).progress((done, all) -> {
            assertTrue(done >= progress.getAndSet(done) && done <= all);
        }).build(); TensorStream stream = loader.stream(directory, new StreamOptions(ahead, false))) {
            Tensor last = null;
            for (Tensor tensor : stream) {
                assertEquals(null, seen.put(tensor.name(), digest(tensor)));
                assertTrue(last == null || last.isClosed(), "a borrowed tensor ends with the next one");
                last = tensor;
            }
            assertEquals(total, stream.stats().bytes());
            assertTrue(stream.stats().deviceBytes() <= budget);
        }
        assertEquals(digests, seen);
        assertEquals(40L * TENSOR, progress.get());
    }

    @Test
    void a_file_that_is_replaced_under_a_stream_is_an_error_before_its_last_tensor() throws Exception {
        Path model = directory.resolve("model.safetensors");
        Path other = Files.copy(model, directory.resolve("another version"));
        List<String> seen = new ArrayList<>();
        try (Loader loader = loader("cpu").progress((done, all) -> {
            if (done == all && Files.exists(other)) {
                move(other, model);
            }
        }).build(); TensorStream stream = loader.stream(model, StreamOptions.defaults())) {
            StorageException e = assertThrows(StorageException.class,
                    () -> stream.forEach(tensor -> seen.add(tensor.name())));
            assertTrue(e.getMessage().contains("was replaced"), e.getMessage());
        }
        assertEquals(39, seen.size());
    }

    private static void move(Path from, Path to) {
        try {
            Files.move(from, to, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void a_budget_below_the_largest_tensor_names_it_and_the_shortfall() {
        try (Loader loader = loader("remote").deviceBudget(TENSOR - 1).dtype(DType.F32).build()) {
            BudgetException e = assertThrows(BudgetException.class,
                    () -> loader.stream(directory, StreamOptions.defaults()));
            assertEquals("t0", e.where().tensor());
            assertTrue(e.shortfall() > 0);
            assertThrows(BudgetException.class, () -> loader.load(directory));
        }
    }

    @Test
    void what_a_budget_cannot_hold_is_refused_before_any_read() throws Exception {
        Path dump = directory.resolve("dump.jfr");
        try (Recording recording = new Recording();
                Loader loader = loader("cpu").deviceBudget(TENSOR).blockBytes(4096).build()) {
            for (String event : List.of("fst.Load", "fst.File", "fst.Read")) {
                recording.enable(event).withoutThreshold();
            }
            recording.start();
            assertThrows(BudgetException.class, () -> loader.stream(directory, StreamOptions.defaults()));
            assertThrows(BudgetException.class, () -> loader.load(directory));
            recording.dump(dump);
        }
        // A recording hears every thread of the process: what earlier tests began may end now.
        List<String> events = RecordingFile.readAllEvents(dump).stream()
                .filter(e -> e.getEventType().getName().startsWith("fst."))
                .map(Object::toString).filter(text -> text.contains(directory.toString())).toList();
        assertEquals(List.of(), events, "nothing was begun; RecordingTest shows that these events come otherwise");
    }

    @Test
    void owned_tensors_outlive_the_stream() {
        List<Tensor> kept = new ArrayList<>();
        try (Loader loader = loader("cpu").deviceBudget(4_000_000).build();
                TensorStream stream = loader.stream(directory, new StreamOptions(0, true))) {
            stream.stream().limit(25).forEach(kept::add);
        }
        Map<String, String> seen = new TreeMap<>();
        kept.forEach(tensor -> seen.put(tensor.name(), digest(tensor)));
        assertEquals(25, seen.size());
        seen.forEach((name, digest) -> assertEquals(digests.get(name), digest));
        kept.forEach(Tensor::close);
    }

    @Test
    void a_batch_can_be_asked_by_name_and_a_stream_is_passed_once() {
        try (Loader loader = loader("cpu").deviceBudget(1_000_000).build();
                TensorStream stream = loader.stream(directory, new StreamOptions(-1, false))) {
            Iterator<Tensor> tensors = stream.iterator();
            String first = tensors.next().name();
            assertEquals(digests.get("t1"), digest(stream.get("t1")));
            assertNotNull(first);
            assertThrows(TensorNotFoundException.class, () -> stream.get("t39"));
            assertThrows(TensorNotFoundException.class, () -> stream.get("nobody"));
            assertThrows(IllegalStateException.class, stream::iterator);
            while (tensors.hasNext()) {
                tensors.next();
            }
            assertThrows(NoSuchElementException.class, tensors::next);
        }
    }

    @Test
    void what_fails_reaches_the_consumer_once_and_frees_everything() {
        for (Operation operation : List.of(Operation.ALLOCATE, Operation.COPY_TO_DEVICE, Operation.OPEN_STREAM,
                Operation.FENCE, Operation.AWAIT)) {
            for (int nth : new int[] {1, 2, 5, 9}) {
                objects = RemoteProvider.behave(FaultPlan.seeded(SEED).fail(operation, nth));
                try (Loader loader = loader("remote").deviceBudget(1_000_000).build();
                        TensorStream stream = loader.stream(directory, new StreamOptions(1, false))) {
                    Iterator<Tensor> tensors = stream.iterator();
                    int errors = 0;
                    int got = 0;
                    while (tensors.hasNext()) {
                        try {
                            tensors.next();
                            got++;
                        } catch (FstException e) {
                            errors++;
                        }
                    }
                    assertTrue(errors == 1 || (errors == 0 && got == 40), operation + " " + nth + ": " + errors
                            + " errors, " + got + " tensors");
                }
                nothingIsLeft();
            }
        }
    }

    @Test
    @Tag("slow")
    void a_consumer_of_a_stream_that_closes_meanwhile_gets_an_error_that_says_so() throws Exception {
        Random random = new Random(SEED);
        for (int round = 0; round < 500; round++) {
            String hint = "round " + round + ", -Dfst.seed=" + SEED;
            try (Loader loader = loader("cpu").deviceBudget(1_000_000).build();
                    TensorStream stream = loader.stream(directory, new StreamOptions(1, true))) {
                long pause = random.nextInt(3_000_000);
                Thread closer = Thread.ofPlatform().start(() -> later(pause, stream));
                try {
                    for (Tensor tensor : stream) {
                        try (tensor; Tensor again = stream.get(tensor.name())) {
                            assertEquals(tensor.name(), again.name(), hint);
                        }
                        assertTrue(stream.stats().tensors() > 0, hint);
                    }
                } catch (IllegalStateException e) {
                    assertEquals("the stream is closed", e.getMessage(), hint);
                } finally {
                    closer.join();
                }
            }
            nothingIsLeft();
        }
    }

    private static void later(long nanos, TensorStream stream) {
        LockSupport.parkNanos(nanos);
        stream.close();
    }

    /// A mishap somewhere in a stream, or none.
    private enum Mishap {
        CONSUMER_SLOW, CONSUMER_THROWS, CANCELLED, FILE_CUT, DEVICE_FAILS
    }

    /// The consumer's own exception.
    private static final class HadEnough extends RuntimeException {
        private static final long serialVersionUID = 1L;
    }

    @ParameterizedTest
    @EnumSource
    @Tag("slow")
    void each_mishap_200_times_is_one_error_at_most_and_leaves_nothing(Mishap mishap) throws Exception {
        Random random = new Random(SEED);
        Path file = directory.resolve("model.safetensors");
        byte[] whole = Files.readAllBytes(file);
        int failed = 0;
        for (int round = 0; round < 200; round++) {
            String hint = mishap + ", round " + round + ", -Dfst.seed=" + SEED;
            FaultPlan plan = FaultPlan.seeded(SEED + round);
            objects = RemoteProvider.behave(mishap == Mishap.DEVICE_FAILS
                    ? plan.fail(Operation.COPY_TO_DEVICE, 1 + random.nextInt(60)) : plan);
            String device = mishap == Mishap.DEVICE_FAILS || random.nextBoolean() ? "remote" : "cpu";
            StreamOptions options = new StreamOptions(random.nextInt(4) - 1, random.nextBoolean());
            try (Loader loader = loader(device).deviceBudget(500_000 + random.nextInt(2_000_000)).build();
                    TensorStream stream = loader.stream(file, options)) {
                failed += consume(stream, mishap, random.nextInt(40), file, hint) ? 1 : 0;
            } finally {
                if (mishap == Mishap.FILE_CUT) {
                    Files.write(file, whole);
                }
            }
            nothingIsLeft();
        }
        assertTrue(mishap == Mishap.CONSUMER_SLOW ? failed == 0 : failed >= 50,
                mishap + " failed " + failed + " times");
    }

    /// @return whether the stream ended early; then by one error of the right kind
    private static boolean consume(TensorStream stream, Mishap mishap, int at, Path file, String hint)
            throws Exception {
        Iterator<Tensor> tensors = stream.iterator();
        Thread canceller = null;
        int count = 0;
        RuntimeException error = null;
        try {
            while (tensors.hasNext()) {
                try (Tensor tensor = tensors.next()) {
                    // The canceller may be faster than this thread.
                    assertTrue(mishap == Mishap.CANCELLED || !tensor.isClosed(), hint);
                }
                if (count++ == at) {
                    switch (mishap) {
                        case CONSUMER_THROWS -> throw new HadEnough();
                        case CANCELLED -> canceller = Thread.ofPlatform().start(stream::close);
                        case FILE_CUT -> Files.write(file, Arrays.copyOf(Files.readAllBytes(file), TENSOR * at));
                        default -> {
                        }
                    }
                }
                if (mishap == Mishap.CONSUMER_SLOW) {
                    Thread.sleep(Duration.ofNanos(200_000));
                }
            }
        } catch (FstException | IllegalStateException | HadEnough e) {
            error = e;
        }
        if (canceller != null) {
            canceller.join();
        }
        if (error == null) {
            assertEquals(40, count, hint);
            return false;
        }
        switch (mishap) {
            case CONSUMER_THROWS -> assertEquals(HadEnough.class, error.getClass(), hint);
            case CANCELLED -> assertEquals("the stream is closed", error.getMessage(), hint);
            default -> {
                assertTrue(error instanceof FstException, hint + ": " + error);
                assertFalse(tensors.hasNext(), "told once; " + hint);
                assertThrows(NoSuchElementException.class, tensors::next, hint);
            }
        }
        return true;
    }

    @Test
    void a_whole_load_under_a_budget_is_refused_and_a_stream_is_not() {
        try (Loader loader = loader("cpu").deviceBudget(1_000_000).build()) {
            assertThrows(BudgetException.class, () -> loader.load(directory));
            try (TensorStream stream = loader.stream(directory, StreamOptions.defaults())) {
                assertEquals(40, stream.stream().count());
            }
        }
        try (Loader loader = loader("cpu").build(); Weights weights = loader.load(directory)) {
            assertEquals(digests, Samples.digests(weights));
        }
    }
}
