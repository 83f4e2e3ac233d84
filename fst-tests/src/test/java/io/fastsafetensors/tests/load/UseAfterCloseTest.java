package io.fastsafetensors.tests.load;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.DlpackVersion;
import io.fastsafetensors.api.GetOptions;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.Pin;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.testkit.fault.FaultPlan;
import io.fastsafetensors.testkit.fault.OpenObjects;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Slice;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(600)
class UseAfterCloseTest {
    private static final int TENSORS = 8;
    private static final int BYTES = 256 << 10;

    @TempDir
    Path directory;

    private Path file;

    @BeforeEach
    void write() {
        file = directory.resolve("model.safetensors");
        Samples.write(file, TENSORS, BYTES, 11);
    }

    /// Every method that an interface declares, but those that say or make closed.
    private static List<Method> accessors(Class<?> type) {
        return Arrays.stream(type.getMethods()).filter(m -> !Modifier.isStatic(m.getModifiers()))
                .filter(m -> !m.getName().equals("close") && !m.getName().equals("isClosed")).toList();
    }

    private static Object argument(Class<?> type) {
        Map<Class<?>, Object> samples = Map.of(String.class, "t0", int.class, 0, DType.class, DType.F32, Device.class,
                new Device("cuda", 0), Slice[].class, new Slice[0], MemorySegment.class,
                Arena.ofAuto().allocate(BYTES), GetOptions.class, GetOptions.asLoaded(), List.class, List.of("t0"),
                Map.class, Map.of(), DlpackVersion.class, DlpackVersion.VERSIONED);
        Object sample = type == long.class ? Long.valueOf(0) : samples.get(type);
        assertTrue(sample != null, "no sample for " + type);
        return sample;
    }

    private static void assertRefuses(Object target, Class<?> type, int fewest) {
        List<Method> methods = accessors(type);
        assertTrue(methods.size() >= fewest, "only " + methods.size() + " accessors of " + type);
        for (Method method : methods) {
            Object[] arguments = Arrays.stream(method.getParameterTypes()).map(UseAfterCloseTest::argument).toArray();
            InvocationTargetException e = assertThrows(InvocationTargetException.class,
                    () -> method.invoke(target, arguments), method.toString());
            assertInstanceOf(IllegalStateException.class, e.getCause(), method + " threw " + e.getCause());
        }
    }

    private static void onAnotherThread(Runnable check) {
        CompletableFuture.runAsync(check).join();
    }

    @Test
    void every_accessor_of_tensor_and_weights_refuses_from_every_thread() {
        try (Loader loader = Loader.builder().build()) {
            Weights weights = loader.load(file);
            Tensor whole = weights.get("t0");
            Tensor part = whole.slice(Slice.range(0, 10));
            Tensor gathered = whole.slice(Slice.every(2));
            Tensor converted = whole.to(DType.F32);
            weights.close();
            assertTrue(weights.isClosed());
            for (Tensor tensor : List.of(whole, part, gathered, converted)) {
                assertTrue(tensor.isClosed());
                assertRefuses(tensor, Tensor.class, 14);
                onAnotherThread(() -> assertRefuses(tensor, Tensor.class, 14));
                tensor.close();
            }
            assertRefuses(weights, Weights.class, 18);
            onAnotherThread(() -> assertRefuses(weights, Weights.class, 18));
            weights.close();
        }
    }

    @Test
    void a_closed_loader_refuses_and_what_it_loaded_stays() {
        Loader loader = Loader.builder().build();
        try (Weights weights = loader.load(file)) {
            loader.close();
            loader.close();
            assertThrows(IllegalStateException.class, () -> loader.load(file));
            assertEquals(BYTES, weights.get("t3").segment().byteSize());
        }
    }

    @Test
    @Tag("native")
    void segments_given_out_die_with_the_weights_also_when_a_detached_tensor_keeps_the_memory() {
        try (Loader loader = Loader.builder().build()) {
            Weights weights = loader.load(file);
            MemorySegment segment = weights.get("t1").segment();
            byte first = segment.get(ValueLayout.JAVA_BYTE, 0);
            Tensor kept = weights.get("t1").detach();
            weights.close();
            assertThrows(IllegalStateException.class, () -> segment.get(ValueLayout.JAVA_BYTE, 0));
            onAnotherThread(() -> assertThrows(IllegalStateException.class,
                    () -> segment.get(ValueLayout.JAVA_BYTE, 0)));
            assertEquals(first, kept.segment().get(ValueLayout.JAVA_BYTE, 0));
            Tensor derived = kept.slice(Slice.every(3));
            kept.close();
            assertRefuses(kept, Tensor.class, 14);
            assertRefuses(derived, Tensor.class, 14);
        }
    }

    @Test
    @Tag("native")
    void a_pin_defers_the_free() {
        try (Loader loader = Loader.builder().build()) {
            Weights weights = loader.load(file);
            Tensor tensor = weights.get("t2");
            byte first = tensor.segment().get(ValueLayout.JAVA_BYTE, 0);
            try (Pin pin = tensor.pin()) {
                weights.close();
                assertThrows(IllegalStateException.class, tensor::address);
                assertEquals(first, byteAt(pin.address()));
                assertEquals(BYTES, pin.byteSize());
            }
        }
    }

    @SuppressWarnings("restricted")
    private static byte byteAt(long address) {
        return MemorySegment.ofAddress(address).reinterpret(1).get(ValueLayout.JAVA_BYTE, 0);
    }

    @Test
    void closing_during_the_load_wakes_who_waits() {
        for (int round = 0; round < 20; round++) {
            try (Loader loader = Loader.builder().blockBytes(4096).readers(4).progress((done, total) -> pause())
                    .build()) {
                Weights weights = loader.load(file);
                List<CompletableFuture<Tensor>> waiting = new ArrayList<>();
                for (int i = 4; i < TENSORS; i++) {
                    String name = "t" + i;
                    waiting.add(CompletableFuture.supplyAsync(() -> weights.get(name)));
                }
                pause();
                CompletableFuture<Void> other = CompletableFuture.runAsync(weights::close);
                weights.close();
                other.join();
                for (CompletableFuture<Tensor> each : waiting) {
                    CompletionException e = assertThrows(CompletionException.class, each::join);
                    assertInstanceOf(IllegalStateException.class, e.getCause());
                }
                assertRefuses(weights, Weights.class, 18);
            }
        }
    }

    @Test
    void a_listener_can_close_and_the_memory_is_freed_when_the_readers_have_ended() throws InterruptedException {
        OpenObjects open = RemoteProvider.behave(FaultPlan.seeded(1));
        CompletableFuture<Weights> loaded = new CompletableFuture<>();
        CompletableFuture<Boolean> closed = new CompletableFuture<>();
        try (Loader loader = Loader.builder().device(RemoteProvider.DEVICE).blockBytes(4096).progress((done, total) -> {
            loaded.join().close();
            closed.complete(loaded.join().isClosed());
        }).build()) {
            Weights weights = loader.load(file);
            loaded.complete(weights);
            assertTrue(closed.orTimeout(10, TimeUnit.SECONDS).join());
            for (int i = 0; i < 1000 && open.count(OpenObjects.Kind.BUFFER) > 0; i++) {
                pause();
            }
            assertEquals(0, open.count(OpenObjects.Kind.BUFFER), open.describe());
            weights.close();
        }
        assertEquals(0, open.total(), open.describe());
    }

    private static void pause() {
        try {
            Thread.sleep(1);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
