package io.fastsafetensors.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.spi.ffm.NativeLibrary;
import io.fastsafetensors.types.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// Streams, fences, kernels and the context around them.
@Timeout(600)
class CudaStreamTest {
    private final ScriptedDriver driver = new ScriptedDriver();
    private final CudaBackend backend = Scripted.open(driver);
    private final CopyStream stream = backend.openCopyStream();

    @AfterEach
    void nothing_is_left() {
        driver.pending = false;
        backend.close();
        assertEquals(Map.of(), driver.left());
        assertFalse(driver.isCurrentHere());
    }

    @Test
    void ten_thousand_fences_use_as_many_events_as_there_are_at_once() {
        for (int i = 0; i < 10_000; i++) {
            try (Fence one = stream.fence(); Fence two = stream.fence()) {
                one.await();
                assertTrue(two.isPassed());
            }
        }
        assertEquals(2, driver.created.get("events"));
    }

    @Test
    void a_closed_fence_keeps_its_event_from_others_while_somebody_waits() throws Exception {
        driver.pending = true;
        Fence fence = stream.fence();
        assertFalse(fence.isPassed());
        CompletableFuture<Void> waiting = CompletableFuture.runAsync(fence::await);
        while (driver.count("cuEventSynchronize") == 0) {
            Thread.onSpinWait();
        }
        fence.close();
        stream.fence().close();
        assertEquals(2, driver.created.get("events"), "the event was recorded again under the waiter");
        assertFalse(waiting.isDone());
        driver.pending = false;
        waiting.get();
        stream.fence().close();
        stream.fence().close();
        assertEquals(2, driver.created.get("events"));
        assertThrows(IllegalStateException.class, fence::await);
        assertThrows(IllegalStateException.class, fence::isPassed);
        assertThrows(IllegalStateException.class, () -> stream.waitFor(fence));
    }

    @Test
    void a_fence_that_has_passed_asks_the_driver_no_more() {
        try (Fence fence = stream.fence()) {
            fence.await();
            int before = driver.calls.size();
            fence.await();
            assertTrue(fence.isPassed());
            stream.waitFor(fence);
            assertEquals(before, driver.calls.size());
        }
    }

    @Test
    void work_that_failed_is_reported_by_fence_and_synchronize() {
        Fence fence = stream.fence();
        driver.fail("cuEventQuery", 1, 700);
        driver.fail("cuEventQuery", 2, 700);
        driver.fail("cuEventQuery", 3, 700);
        for (Runnable wait : List.<Runnable>of(fence::await, fence::isPassed, stream::synchronize)) {
            BackendException e = assertThrows(BackendException.class, wait::run);
            assertTrue(e.getMessage().contains("CUDA_ERROR_ILLEGAL_ADDRESS: the device's context is lost"),
                    e.getMessage());
        }
    }

    @Test
    void fences_end_with_their_backend() {
        Fence fence = stream.fence();
        backend.close();
        assertThrows(IllegalStateException.class, fence::isPassed);
        assertThrows(IllegalStateException.class, fence::await);
        fence.close();
        fence.close();
    }

    @Test
    void arrays_are_copied_piece_by_piece_both_ways() {
        byte[] bytes = new byte[(3 << 20) + 17];
        new Random(1).nextBytes(bytes);
        byte[] back = new byte[bytes.length];
        try (DeviceBuffer buffer = backend.allocate(bytes.length, 256)) {
            stream.copyToDevice(MemorySegment.ofArray(bytes), buffer, 0);
            stream.copyToHost(buffer, 0, MemorySegment.ofArray(back));
        }
        assertArrayEquals(bytes, back);
        assertEquals(4, driver.count("cuMemcpyHtoDAsync"));
    }

    @Test
    void host_memory_that_must_not_be_used_never_reaches_the_driver() throws Exception {
        try (DeviceBuffer buffer = backend.allocate(16, 16); Arena mine = Arena.ofConfined()) {
            MemorySegment closed;
            try (Arena ended = Arena.ofShared()) {
                closed = ended.allocate(16);
            }
            assertThrows(IllegalStateException.class, () -> stream.copyToDevice(closed, buffer, 0));
            assertThrows(IllegalStateException.class, () -> stream.copyToHost(buffer, 0, closed));
            MemorySegment readOnly = mine.allocate(16).asReadOnly();
            assertThrows(IllegalArgumentException.class, () -> stream.copyToHost(buffer, 0, readOnly));
            MemorySegment confined = mine.allocate(16);
            CompletableFuture.runAsync(() -> assertThrows(WrongThreadException.class,
                    () -> stream.copyToDevice(confined, buffer, 0))).get();
        }
        assertEquals(0, driver.count("cuMemcpyHtoDAsync") + driver.count("cuMemcpyDtoHAsync"));
    }

    @Test
    void kernels_are_loaded_when_the_first_one_is_launched() {
        assertEquals(0, driver.count("cuModuleLoadDataEx"));
        try (DeviceBuffer from = backend.allocate(4096, 256); DeviceBuffer to = backend.allocate(2048, 256)) {
            for (int i = 0; i < 3; i++) {
                backend.kernels().convert(stream, BufferSlice.of(from), DType.F32, BufferSlice.of(to), DType.BF16,
                        1024);
            }
        }
        assertEquals(1, driver.count("cuModuleLoadDataEx"));
        assertEquals(3, driver.launches.size());
        assertTrue(driver.launches.getFirst().endsWith("x 256, 5 arguments"), driver.launches::toString);
    }

    @Test
    void kernels_that_do_not_compile_say_why_and_are_tried_again() {
        driver.compilerLog = "ptxas fatal: line 7";
        driver.fail("cuModuleLoadDataEx", 1, 218);
        try (DeviceBuffer from = backend.allocate(16, 256); DeviceBuffer to = backend.allocate(8, 256)) {
            Runnable convert = () -> backend.kernels().convert(stream, BufferSlice.of(from), DType.F32,
                    BufferSlice.of(to), DType.F16, 4);
            BackendException e = assertThrows(BackendException.class, convert::run);
            assertTrue(e.getMessage().contains("CUDA_ERROR_INVALID_PTX: the driver cannot compile the kernels;"
                    + " ptxas fatal: line 7)"), e.getMessage());
            convert.run();
        }
    }

    @Test
    void the_context_is_current_for_guests_and_only_for_them() {
        assertTrue(backend.inContext(driver::isCurrentHere));
        assertFalse(driver.isCurrentHere());
        assertThrows(ArithmeticException.class, () -> backend.inContext(() -> {
            throw new ArithmeticException();
        }));
        assertFalse(driver.isCurrentHere());
    }

    /// qsort's comparison tries to close what is being sorted.
    @Test
    @SuppressWarnings("restricted") // The point of the test.
    void staging_memory_in_use_by_a_native_call_keeps_the_backend_open() throws Throwable {
        StagingBuffer staging = backend.allocateStaging(16);
        MethodHandle qsort = NativeLibrary.standard().bind("qsort", FunctionDescriptor.ofVoid(ValueLayout.ADDRESS,
                ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG, ValueLayout.ADDRESS));
        List<Throwable> refusals = new ArrayList<>();
        MethodHandle compare = MethodHandles.insertArguments(MethodHandles.lookup().findVirtual(CudaStreamTest.class,
                "compare", MethodType.methodType(int.class, StagingBuffer.class, List.class, long.class, long.class)),
                0, this, staging, refusals);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment stub = Linker.nativeLinker().upcallStub(compare, FunctionDescriptor.of(ValueLayout.JAVA_INT,
                    ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG), arena);
            qsort.invokeExact(staging.segment(), 2L, 8L, stub);
        }
        assertEquals(2, refusals.size());
        assertTrue(refusals.stream().allMatch(IllegalStateException.class::isInstance), refusals.toString());
        assertTrue(refusals.getFirst().getMessage()
                .startsWith("the staging buffer of 16 bytes is in use by a native call"));
        assertEquals(16, staging.segment().byteSize());
        assertEquals(1, driver.left().get("pinned"));
        backend.close();
        assertThrows(IllegalStateException.class, staging::segment);
        assertThrows(IllegalStateException.class, () -> backend.allocate(1, 1));
    }

    @SuppressWarnings("unused") // Called by qsort.
    private int compare(StagingBuffer staging, List<Throwable> refusals, long a, long b) {
        for (AutoCloseable closeable : List.of(staging, backend)) {
            try {
                closeable.close();
            } catch (Throwable e) {
                // Nothing may leave an upcall.
                refusals.add(e);
            }
        }
        return 0;
    }
}
