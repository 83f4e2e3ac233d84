package io.fastsafetensors.backend.cpu.load;

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
import io.fastsafetensors.error.TensorNotFoundException;
import io.fastsafetensors.testkit.fault.FaultPlan;
import io.fastsafetensors.testkit.fault.OpenObjects;
import io.fastsafetensors.testkit.fault.Operation;
import io.fastsafetensors.testkit.leak.LeakExtension;
import io.fastsafetensors.types.DType;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
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
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Streams under a budget, near and far.
@Timeout(120)
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
    void a_budget_below_the_largest_tensor_names_it_and_the_shortfall() {
        try (Loader loader = loader("remote").deviceBudget(TENSOR).dtype(DType.F32).build()) {
            BudgetException e = assertThrows(BudgetException.class,
                    () -> loader.stream(directory, StreamOptions.defaults()));
            assertEquals("t0", e.where().tensor());
            assertTrue(e.shortfall() > 0);
            assertThrows(BudgetException.class, () -> loader.load(directory));
        }
    }

    @Test
    void owned_tensors_outlive_the_stream() {
        List<Tensor> kept = new ArrayList<>();
        try (Loader loader = loader("cpu").deviceBudget(600_000).build();
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
    void consumers_that_are_slow_throw_or_cancel_leave_nothing() throws IOException {
        Random random = new Random(SEED);
        for (int round = 0; round < 200; round++) {
            boolean remote = random.nextBoolean();
            int behaviour = random.nextInt(4);
            int at = random.nextInt(40);
            objects = RemoteProvider.behave(FaultPlan.seeded(SEED + round).delay(Operation.COPY_TO_DEVICE,
                    Duration.ofMillis(behaviour == 3 ? 1 : 0)));
            Path file = directory.resolve("model.safetensors");
            byte[] whole = behaviour == 2 ? Files.readAllBytes(file) : new byte[0];
            try (Loader loader = loader(remote ? "remote" : "cpu").deviceBudget(500_000 + random.nextInt(2_000_000))
                    .build(); TensorStream stream =
                            loader.stream(file, new StreamOptions(random.nextInt(4) - 1,
                                    random.nextInt(8) == 0))) {
                consume(stream, behaviour, at, file);
            } catch (FstException | IllegalStateException e) {
                assertFalse(String.valueOf(e.getMessage()).isEmpty());
            }
            if (behaviour == 2) {
                Files.write(file, whole);
            }
            nothingIsLeft();
        }
    }

    /// 0 throws, 1 cancels from another thread, 2 has the file cut off under it, 3 is slow.
    private static void consume(TensorStream stream, int behaviour, int at, Path file) throws IOException {
        int count = 0;
        for (Tensor tensor : stream) {
            if (count++ == at) {
                switch (behaviour) {
                    case 0 -> {
                        tensor.close();
                        throw new IllegalStateException("the consumer had enough");
                    }
                    case 1 -> Thread.ofPlatform().start(stream::close);
                    case 2 -> Files.write(file, Arrays.copyOf(Files.readAllBytes(file), TENSOR * at));
                    default -> {
                    }
                }
            }
            if (behaviour == 3) {
                Thread.onSpinWait();
            }
            tensor.close();
        }
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
