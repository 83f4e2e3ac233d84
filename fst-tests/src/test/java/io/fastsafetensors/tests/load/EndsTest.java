package io.fastsafetensors.tests.load;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.LeakDetection;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.StreamOptions;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.TensorStream;
import io.fastsafetensors.api.TransferPath;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.ConfigException;
import io.fastsafetensors.error.FstException;
import io.fastsafetensors.error.LoadInterruptedException;
import io.fastsafetensors.testkit.fault.FaultPlan;
import io.fastsafetensors.testkit.fault.OpenObjects;
import io.fastsafetensors.testkit.fault.OpenObjects.Kind;
import io.fastsafetensors.testkit.fault.Operation;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Slice;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// The ends of loads: what was begun goes on when the loader is closed, waiting can be interrupted, each caller is
/// told by an exception of its own, and what cannot be released keeps nothing else.
@Timeout(600)
class EndsTest {
    private static final int TENSORS = 6;
    private static final int BYTES = 50_000;

    @TempDir
    Path directory;

    private Path file;
    private Map<String, String> digests;
    private OpenObjects objects;

    @BeforeEach
    void write() {
        file = directory.resolve("model.safetensors");
        digests = Samples.write(file, TENSORS, BYTES, 5);
        objects = RemoteProvider.behave(FaultPlan.seeded(1));
        NearProvider.behave(FaultPlan.seeded(1));
    }

    @AfterEach
    void nothing_is_left() {
        Remains.assertNone(objects, directory, () -> "the test");
    }

    private static LoaderBuilder on(Device device) {
        return Loader.builder().device(device).blockBytes(8 << 10);
    }

    private static LoaderBuilder on(String device) {
        return on(new Device(device, 0));
    }

    private static String digest(Tensor tensor) {
        try (Arena arena = Arena.ofShared()) {
            MemorySegment copy = arena.allocate(tensor.byteSize());
            tensor.copyTo(copy);
            return Samples.digest(copy);
        }
    }

    private static Map<String, String> digests(Weights weights) {
        Map<String, String> all = new TreeMap<>();
        weights.names().forEach(name -> all.put(name, digest(weights.get(name))));
        return all;
    }

    /// Holds readers up until it is opened.
    private static final class Gate {
        private final CountDownLatch reached = new CountDownLatch(1);
        private final CountDownLatch open = new CountDownLatch(1);

        void pass() {
            reached.countDown();
            await(open);
        }

        void awaitReached() {
            await(reached);
        }

        void open() {
            open.countDown();
        }

        private static void await(CountDownLatch latch) {
            try {
                assertTrue(latch.await(100, TimeUnit.SECONDS));
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"cpu", "remote"})
    void a_stream_goes_on_when_its_loader_is_closed(String device) {
        Map<String, String> got = new TreeMap<>();
        Loader loader = on(device).deviceBudget(3L * BYTES).build();
        try (TensorStream stream = loader.stream(file, new StreamOptions(-1, false))) {
            for (Tensor tensor : stream) {
                loader.close();
                got.put(tensor.name(), digest(tensor));
            }
        }
        assertEquals(digests, got);
    }

    @ParameterizedTest
    @ValueSource(strings = {"cpu", "remote"})
    void a_rewrite_goes_on_when_its_loader_is_closed(String device) {
        Path copy = directory.resolve("copy.safetensors");
        Loader[] loader = new Loader[1];
        loader[0] = on(device).deviceBudget(3L * BYTES).progress((done, total) -> loader[0].close()).build();
        assertEquals(List.of(copy), loader[0].rewrite(file, copy, WriteOptions.defaults()));
        assertThrows(IllegalStateException.class, () -> loader[0].rewrite(file, copy, WriteOptions.defaults()));
        try (Loader other = on("cpu").build(); Weights weights = other.load(copy)) {
            assertEquals(digests, digests(weights));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"cpu", "remote"})
    void a_load_that_races_with_the_close_of_its_loader_is_loaded_or_refused(String device) {
        for (int round = 0; round < 40; round++) {
            Loader loader = on(device).build();
            CompletableFuture<Void> closing = CompletableFuture.runAsync(loader::close);
            try (Weights weights = loader.load(file)) {
                assertEquals(digests, digests(weights));
            } catch (IllegalStateException e) {
                assertTrue(e.getMessage().contains("the loader for"), e.getMessage());
            }
            closing.join();
        }
    }

    /// What is wrong with the order of calls is found by [KeptContract].
    @ParameterizedTest
    @CsvSource({"cpu,convert", "cpu,gather", "remote,convert", "remote,gather", "remote,small"})
    void weights_may_be_closed_while_the_device_fills_a_derived_tensor(String device, String work) {
        for (int round = 0; round < 5; round++) {
            FaultPlan plan = FaultPlan.seeded(round).delay(Operation.KERNEL, Duration.ofMillis(100)).deferred();
            if (device.equals("cpu")) {
                NearProvider.behave(plan);
            } else {
                objects = RemoteProvider.behave(plan);
            }
            try (Loader loader = on(device).build(); Weights weights = loader.load(file)) {
                Tensor tensor = weights.get(digests.keySet().iterator().next());
                weights.awaitAll();
                CompletableFuture<Void> filling = CompletableFuture.runAsync(() -> {
                    switch (work) {
                        case "convert" -> tensor.to(DType.F16);
                        case "gather" -> tensor.slice(Slice.range(0, BYTES, 3));
                        default -> tensor.slice(Slice.range(0, 100, 3));
                    }
                });
                while (plan.calls(Operation.KERNEL) == 0 && !filling.isDone()) {
                    Thread.onSpinWait();
                }
                CompletableFuture.runAsync(weights::close).join();
                filling.handle((_, failure) -> failure == null
                        || String.valueOf(failure.getMessage()).contains("closed")).thenAccept(Assertions::assertTrue)
                        .join();
            }
        }
    }

    @Test
    void a_buffer_that_cannot_be_freed_keeps_no_other_and_is_told_once() {
        List<Path> files = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            files.add(directory.resolve("part" + i + ".safetensors"));
            Samples.write(files.getLast(), 2, BYTES, i, "p" + i + ".");
        }
        for (int nth = 1; nth <= files.size(); nth++) {
            objects = RemoteProvider.behave(FaultPlan.seeded(nth).fail(Operation.CLOSE_BUFFER, nth));
            Loader loader = on("remote").build();
            Weights weights = loader.load(files);
            weights.awaitAll();
            loader.close();
            BackendException e = assertThrows(BackendException.class, weights::close);
            assertTrue(e.getMessage().contains("CLOSE_BUFFER"), e.getMessage());
            assertEquals(0, objects.total(), objects::describe);
            weights.close();
        }
    }

    @Test
    void a_stream_that_cannot_free_a_batch_frees_the_others_and_says_so() {
        for (int nth = 1; nth <= 2; nth++) {
            objects = RemoteProvider.behave(FaultPlan.seeded(nth).fail(Operation.CLOSE_BUFFER, nth));
            assertThrows(BackendException.class, () -> {
                try (Loader loader = on("remote").deviceBudget(3L * BYTES).build();
                        TensorStream stream = loader.stream(file, new StreamOptions(1, true))) {
                    for (Tensor tensor : stream) {
                        tensor.close();
                    }
                }
            });
            Remains.assertNone(objects, directory, () -> "a stream");
        }
    }

    @Test
    void a_fence_that_cannot_be_closed_costs_no_slot() {
        for (int nth = 1; nth <= 6; nth++) {
            objects = RemoteProvider.behave(FaultPlan.seeded(nth).fail(Operation.CLOSE_FENCE, nth));
            try (Loader loader = on("remote").transferPath(TransferPath.STAGED).hostBudget(20 << 10).build()) {
                Weights failed = loader.load(file);
                assertTrue(assertThrows(BackendException.class, failed::awaitAll).getMessage().contains("CLOSE_FENCE"));
                failed.close();
                try (Weights weights = loader.load(file)) {
                    assertEquals(digests, digests(weights));
                }
            }
        }
    }

    @Test
    void a_slot_of_which_nobody_knows_whether_it_is_in_use_is_replaced() {
        for (int nth = 1; nth <= 4; nth++) {
            objects = RemoteProvider.behave(
                    FaultPlan.seeded(nth).fail(Operation.COPY_TO_DEVICE, nth).fail(Operation.CLOSE_STREAM, 1));
            try (Loader loader = on("remote").transferPath(TransferPath.STAGED).hostBudget(20 << 10).build()) {
                Weights failed = loader.load(file);
                assertThrows(BackendException.class, failed::awaitAll);
                failed.close();
                try (Weights weights = loader.load(file)) {
                    assertEquals(digests, digests(weights));
                }
            }
        }
    }

    @Test
    void slots_that_cannot_be_made_again_are_told() {
        FaultPlan plan = FaultPlan.seeded(1).failRandomly(Operation.ALLOCATE_STAGING, 1);
        objects = RemoteProvider.behave(plan);
        try (Warnings warnings = new Warnings();
                Loader loader = on("remote").transferPath(TransferPath.STAGED).build()) {
            for (int i = 0; i < 3; i++) {
                try (Weights weights = loader.load(file)) {
                    assertThrows(FstException.class, weights::awaitAll);
                }
            }
            assertTrue(warnings.contains("slots"), warnings.toString());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"cpu", "remote"})
    void a_listener_that_would_wait_for_reads_is_told(String device) {
        CompletableFuture<Weights> loaded = new CompletableFuture<>();
        List<Throwable> told = new ArrayList<>();
        try (Loader loader = on(device).readers(1).progress((done, total) -> {
            if (done < total && told.isEmpty()) {
                told.add(assertThrows(IllegalStateException.class, () -> loaded.join().get("t5")));
                told.add(assertThrows(IllegalStateException.class, loaded.join()::awaitAll));
            }
        }).build(); Weights weights = loader.load(file)) {
            loaded.complete(weights);
            assertEquals(digests, digests(weights));
            weights.awaitAll();
        }
        assertEquals(2, told.size());
        assertTrue(told.getFirst().getMessage().contains("progress listener"), told.getFirst().getMessage());
    }

    @Test
    void a_listener_gets_what_is_there() {
        CompletableFuture<Weights> loaded = new CompletableFuture<>();
        CompletableFuture<String> got = new CompletableFuture<>();
        try (Loader loader = on("cpu").progress((done, total) -> {
            Weights weights = loaded.join();
            weights.names().stream().filter(weights::isReady).findFirst()
                    .ifPresent(name -> got.complete(name + " " + digest(weights.get(name))));
        }).build(); Weights weights = loader.load(file)) {
            loaded.complete(weights);
            weights.awaitAll();
        }
        String name = got.join().substring(0, got.join().indexOf(' '));
        assertEquals(name + " " + digests.get(name), got.join());
    }

    @Test
    void times_are_noted_before_a_tensor_can_be_had() {
        try (Loader loader = on("cpu").readers(4).build()) {
            for (int i = 0; i < 300; i++) {
                try (Weights weights = loader.load(file)) {
                    weights.get("t" + i % TENSORS);
                    assertTrue(weights.stats().secondsFirstTensor() > 0);
                    digests.keySet().forEach(weights::get);
                    assertTrue(weights.stats().secondsAll() > 0);
                }
            }
        }
    }

    /// What a call throws on a thread that is interrupted while it waits.
    private static LoadInterruptedException interrupted(Runnable call) {
        CompletableFuture<Throwable> thrown = new CompletableFuture<>();
        CompletableFuture<Boolean> status = new CompletableFuture<>();
        Thread thread = Thread.ofPlatform().daemon().start(() -> {
            try {
                call.run();
                thrown.complete(null);
            } catch (RuntimeException | Error e) {
                thrown.complete(e);
            }
            status.complete(Thread.currentThread().isInterrupted());
        });
        while (!thrown.isDone()) {
            thread.interrupt();
            Thread.onSpinWait();
        }
        LoadInterruptedException e = assertInstanceOf(LoadInterruptedException.class, thrown.join());
        assertTrue(status.join(), "the interrupt status is kept");
        assertTrue(!e.getMessage().contains("null"), e.getMessage());
        return e;
    }

    @ParameterizedTest
    @ValueSource(strings = {"cpu", "remote"})
    void waiting_for_a_tensor_can_be_interrupted_and_the_load_goes_on(String device) {
        Gate gate = new Gate();
        try (Loader loader = on(device).progress((done, total) -> gate.pass()).build();
                Weights weights = loader.load(file)) {
            gate.awaitReached();
            String missing = weights.names().stream().filter(name -> !weights.isReady(name)).findFirst().orElseThrow();
            assertTrue(interrupted(() -> weights.get(missing)).getMessage().contains("\"" + missing + "\""));
            interrupted(weights::awaitAll);
            gate.open();
            weights.awaitAll();
            assertEquals(digests, digests(weights));
        }
    }

    @Test
    void waiting_for_the_next_tensor_of_a_stream_can_be_interrupted_and_the_stream_goes_on() {
        Gate gate = new Gate();
        Map<String, String> got = new TreeMap<>();
        try (Loader loader = on("remote").deviceBudget(3L * BYTES).progress((done, total) -> gate.pass()).build();
                TensorStream stream = loader.stream(file, new StreamOptions(-1, false))) {
            gate.awaitReached();
            var tensors = stream.iterator();
            interrupted(tensors::next);
            interrupted(tensors::next);
            gate.open();
            tensors.forEachRemaining(tensor -> got.put(tensor.name(), digest(tensor)));
        }
        assertEquals(digests, got);
    }

    @Test
    void a_thread_that_is_interrupted_before_it_loads_is_told_so() {
        try (Loader loader = on("cpu").build()) {
            for (int i = 0; i < 50; i++) {
                LoadInterruptedException e = interrupted(() -> {
                    while (true) {
                        loader.load(file).close();
                    }
                });
                assertTrue(e.getMessage().contains("interrupted"), e.getMessage());
            }
        }
    }

    @Test
    void an_interrupted_thread_closes_without_waiting_for_a_read_that_does_not_return() {
        Gate gate = new Gate();
        Loader loader = on("remote").progress((done, total) -> gate.pass()).build();
        Weights weights = loader.load(file);
        gate.awaitReached();
        try (Warnings warnings = new Warnings()) {
            Thread.currentThread().interrupt();
            weights.close();
            assertTrue(Thread.interrupted(), "the interrupt status is kept");
            assertTrue(warnings.contains("does not return"), warnings.toString());
        }
        loader.close();
        assertTrue(weights.isClosed());
        assertTrue(objects.count(Kind.BUFFER) > 0, "a reader still uses the memory");
        gate.open();
    }

    @Test
    void what_is_dropped_during_a_read_that_does_not_return_holds_up_no_other() throws InterruptedException {
        Gate gate = new Gate();
        try (LeakLog log = new LeakLog()) {
            dropWeights(gate);
            gate.awaitReached();
            assertTrue(log.waitFor("weights of " + file), log.toString());
            dropTensor();
            assertTrue(log.waitFor("detached tensor \"t1\""), log.toString());
            gate.open();
        }
    }

    private void dropWeights(Gate gate) {
        try (Loader loader = on("remote").progress((done, total) -> gate.pass()).leakDetection(LeakDetection.ON)
                .build()) {
            loader.load(file);
        }
    }

    private void dropTensor() {
        try (Loader loader = on("cpu").build(); Weights weights = loader.load(file)) {
            weights.get("t1").detach();
        }
    }

    @Test
    void each_caller_is_told_by_an_exception_of_its_own() {
        objects = RemoteProvider.behave(FaultPlan.seeded(1).fail(Operation.COPY_TO_DEVICE, 2));
        try (Loader loader = on("remote").build(); Weights weights = loader.load(file)) {
            List<CompletableFuture<BackendException>> callers = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                callers.add(
                        CompletableFuture.supplyAsync(() -> assertThrows(BackendException.class, weights::awaitAll)));
            }
            List<BackendException> told = callers.stream().map(CompletableFuture::join).toList();
            for (int i = 1; i < told.size(); i++) {
                assertNotSame(told.getFirst(), told.get(i));
                assertEquals(told.getFirst().getMessage(), told.get(i).getMessage());
                assertEquals(told.getFirst().where(), told.get(i).where());
                assertSame(told.getFirst().getCause(), told.get(i).getCause());
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"true", "", "verbose"})
    void an_unknown_level_of_leak_detection_is_refused_before_anything_begins(String level) {
        System.setProperty("fst.leakDetection", level);
        try {
            ConfigException e = assertThrows(ConfigException.class, () -> on("remote").build());
            assertTrue(e.getMessage().contains("fst.leakDetection") && e.getMessage().contains("off, on, stack"),
                    e.getMessage());
            assertEquals(0, objects.total(), objects::describe);
        } finally {
            System.clearProperty("fst.leakDetection");
        }
    }

    @ParameterizedTest
    @CsvSource({"mappedBytes, lots", "mappedBytes, -1", "mappedBytes, 1e400000", "mappedBytes, ''",
        "pageLockedBytes, 0",
        "pageLockedBytes, some", "maxReaders, 8 or so", "maxReaders, -2", "maxReaders, 99999999999999999999"})
    void an_unreadable_bound_of_the_process_is_refused_before_anything_begins(String name, String bound) {
        String property = "fst." + name;
        System.setProperty(property, bound);
        try {
            ConfigException e = assertThrows(ConfigException.class,
                    () -> on("remote").transferPath(TransferPath.MAPPED).build());
            assertTrue(e.getMessage().contains(property) && e.getMessage().contains("\"" + bound + "\""),
                    e.getMessage());
            assertEquals(0, objects.total(), objects::describe);
        } finally {
            System.clearProperty(property);
        }
    }
}
