package io.fastsafetensors.tests.load;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.spi.ffm.NativeLibrary;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Shape;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Native code that holds a tensor's segment while the weights are closed.
@Timeout(30)
class NativeUseTest {
    // int nanosleep(const struct timespec *req, struct timespec *rem)
    private static final MethodHandle NANOSLEEP = NativeLibrary.standard().bind("nanosleep",
            FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.ADDRESS));

    @TempDir
    Path directory;

    @Test
    void a_call_in_flight_keeps_its_memory_and_close_does_not_wait_for_it() throws InterruptedException {
        assumeTrue(System.getProperty("os.name").equals("Linux"), "struct timespec is two longs on Linux");
        Path file = directory.resolve("timespec.safetensors");
        ByteBuffer bytes =
                ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN).putLong(0).putLong(400_000_000).flip();
        Safetensors.write(file, List.of(TensorSource.of("t", DType.I64, Shape.of(2), c -> c.write(bytes))),
                WriteOptions.defaults());
        Weights weights = Safetensors.load(file, Device.CPU);
        MemorySegment segment = weights.get("t").segment();
        CountDownLatch started = new CountDownLatch(1);
        CompletableFuture<Integer> call = CompletableFuture.supplyAsync(() -> sleep(segment, started));
        assertTrue(started.await(5, TimeUnit.SECONDS));
        Thread.sleep(50);
        weights.close();
        assertTrue(!call.isDone(), "the call returned before the close");
        assertEquals(0, call.join());
        for (int i = 0; i < 500 && segment.scope().isAlive(); i++) {
            Thread.sleep(2);
        }
        assertThrows(IllegalStateException.class, () -> segment.get(ValueLayout.JAVA_LONG, 0));
    }

    private static int sleep(MemorySegment timespec, CountDownLatch started) {
        try {
            started.countDown();
            return (int) NANOSLEEP.invokeExact(timespec, MemorySegment.NULL);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }
}
