package io.fastsafetensors.tests.load;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.spi.ffm.NativeLibrary;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Shape;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Native code that holds a tensor's segment while the weights are closed: here, qsort's comparison waits for the close.
@Timeout(600)
@Tag("native")
class NativeUseTest {
    // void qsort(void *base, size_t nmemb, size_t size, int (*compar)(const void *, const void *))
    private static final MethodHandle QSORT = NativeLibrary.standard().bind("qsort",
            FunctionDescriptor.ofVoid(ValueLayout.ADDRESS, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG,
                    ValueLayout.ADDRESS));

    @TempDir
    Path directory;

    private Weights weights;
    private boolean aliveAfterClose;

    @Test
    @SuppressWarnings("restricted") // The point of the test.
    void a_call_in_flight_keeps_its_memory_and_close_does_not_wait_for_it() throws Throwable {
        Path file = directory.resolve("two.safetensors");
        ByteBuffer bytes = ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN).putLong(2).putLong(1).flip();
        Safetensors.write(file, List.of(TensorSource.of("t", DType.I64, Shape.of(2), c -> c.write(bytes))),
                WriteOptions.defaults());
        weights = Safetensors.load(file, Device.CPU);
        MemorySegment segment = weights.get("t").segment();
        MethodHandle compare = MethodHandles.lookup()
                .findVirtual(NativeUseTest.class, "compare",
                        MethodType.methodType(int.class, MemorySegment.class, long.class, long.class))
                .bindTo(this).bindTo(segment);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment stub = Linker.nativeLinker().upcallStub(compare, FunctionDescriptor.of(ValueLayout.JAVA_INT,
                    ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG), arena);
            QSORT.invokeExact(segment, 2L, 8L, stub);
        }
        assertTrue(aliveAfterClose, "the memory went away under the call");
        while (segment.scope().isAlive()) {
            Thread.sleep(2);
        }
        assertThrows(IllegalStateException.class, () -> segment.get(ValueLayout.JAVA_LONG, 0));
    }

    @SuppressWarnings("unused") // Called by qsort.
    private int compare(MemorySegment segment, long a, long b) {
        // Another thread closes, and this one waits until that has returned, all within the call.
        CompletableFuture<Void> closing = CompletableFuture.runAsync(weights::close);
        aliveAfterClose = closing.handle((_, failure) -> failure == null && segment.scope().isAlive()).join();
        return 1;
    }
}
