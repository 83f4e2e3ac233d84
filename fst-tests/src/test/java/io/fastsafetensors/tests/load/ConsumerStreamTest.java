package io.fastsafetensors.tests.load;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.StreamOptions;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.TensorStream;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.testkit.fault.FaultPlan;
import io.fastsafetensors.testkit.fault.OpenObjects;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Memory that a consumer's own stream still reads is neither freed nor filled again.
@Timeout(600)
class ConsumerStreamTest {
    private static final long HANDLE = 0x5eed;
    private static final int BYTES = 100_000;

    @TempDir
    Path directory;
    private Path model;
    private OpenObjects objects = new OpenObjects();
    private OwnStream own;

    @BeforeEach
    void write() {
        objects = RemoteProvider.behave(FaultPlan.seeded(1));
        own = OwnStream.open(HANDLE);
        model = directory.resolve("model.safetensors");
        Samples.write(model, 12, BYTES, 7);
    }

    @AfterEach
    void nothing_is_left() {
        assertEquals(Map.of(), objects.counts(), () -> objects.describe());
    }

    private static Loader loader(Device device) {
        return Loader.builder().device(device).build();
    }

    private long buffers() {
        return objects.counts().getOrDefault(OpenObjects.Kind.BUFFER, 0L);
    }

    @Test
    void closed_weights_give_their_memory_back_after_the_consumers_work() throws Exception {
        try (Loader loader = loader(RemoteProvider.DEVICE)) {
            Weights weights = loader.load(model);
            weights.awaitAll();
            weights.get("t3").releaseAfter(HANDLE);
            CompletableFuture<Void> closing = CompletableFuture.runAsync(weights::close);
            own.awaited.get(30, TimeUnit.SECONDS);
            assertEquals(1, buffers(), "freed under the consumer's work");
            assertTrue(weights.isClosed());
            assertFalse(closing.isDone());
            own.work.complete(null);
            closing.get();
            assertEquals(0, buffers());
        }
    }

    @Test
    void a_streams_memory_is_filled_again_after_the_consumers_work() throws Exception {
        try (Loader loader = Loader.builder().device(RemoteProvider.DEVICE).deviceBudget(800_000).build();
                TensorStream stream = loader.stream(model, new StreamOptions(1, false))) {
            Iterator<Tensor> tensors = stream.iterator();
            tensors.next().releaseAfter(HANDLE);
            CompletableFuture<Integer> rest = CompletableFuture.supplyAsync(() -> {
                int count = 0;
                while (tensors.hasNext()) {
                    tensors.next();
                    count++;
                }
                return count;
            });
            own.awaited.get(30, TimeUnit.SECONDS);
            assertFalse(rest.isDone());
            own.work.complete(null);
            assertEquals(11, rest.get());
        }
    }

    @Test
    void owned_and_detached_tensors_wait_too() throws Exception {
        try (Loader loader = loader(RemoteProvider.DEVICE)) {
            Weights weights = loader.load(model);
            Tensor detached = weights.get("t1").to(DType.I16).detach();
            detached.releaseAfter(HANDLE);
            weights.close();
            CompletableFuture<Void> closing = CompletableFuture.runAsync(detached::close);
            own.awaited.get(30, TimeUnit.SECONDS);
            assertEquals(1, buffers());
            own.work.complete(null);
            closing.get();
            assertThrows(IllegalStateException.class, () -> detached.releaseAfter(HANDLE));
        }
    }

    @Test
    void work_that_failed_keeps_no_memory() {
        try (Loader loader = loader(RemoteProvider.DEVICE)) {
            Weights weights = loader.load(model);
            weights.get("t0").releaseAfter(HANDLE);
            own.work.completeExceptionally(
                    new BackendException("the consumer's kernel failed", Where.backend("remote")));
            weights.close();
            assertEquals(0, buffers());
        }
    }

    @Test
    void ten_thousand_calls_keep_few_fences() {
        try (Loader loader = loader(RemoteProvider.DEVICE); Weights weights = loader.load(model)) {
            own.work.complete(null);
            Tensor tensor = weights.get("t0");
            for (int i = 0; i < 10_000; i++) {
                tensor.releaseAfter(HANDLE);
            }
            assertTrue(objects.counts().getOrDefault(OpenObjects.Kind.FENCE, 0L) <= 1, objects::describe);
        }
    }

    @Test
    void host_memory_has_nothing_to_wait_for() {
        try (Loader loader = loader(Device.CPU); Weights weights = loader.load(model)) {
            weights.get("t0").releaseAfter(HANDLE);
        }
    }
}
