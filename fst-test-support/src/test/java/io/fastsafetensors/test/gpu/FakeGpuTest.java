package io.fastsafetensors.test.gpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.fastsafetensors.spi.ffm.NativeLibrary;
import io.fastsafetensors.spi.ffm.RawMemory;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

@EnabledOnOs(OS.LINUX)
@Timeout(600)
class FakeGpuTest {
    private static final int SIZE = 1 << 16;
    private static final int INVALID_VALUE = 1;
    private static final int OUT_OF_MEMORY = 2;
    private static final int INVALID_CONTEXT = 201;
    private static final int INVALID_HANDLE = 400;
    private static final int NOT_READY = 600;
    private static final int ILLEGAL_ADDRESS = 700;

    @TempDir
    static Path folder;
    private static FakeGpu gpu;
    private static NativeLibrary cuda;

    private final Arena arena = Arena.ofAuto();
    private MemorySegment out;
    private long stream;
    private long event;

    @BeforeAll
    static void load() throws IOException {
        gpu = FakeGpu.load(folder, Face.CUDA);
        // By its name: what a backend does.
        cuda = NativeLibrary.open("libcuda.so.1");
    }

    private static int call(String function, long... a) {
        long[] words = Arrays.copyOf(a, 6);
        return (int) cuda.words(function).call(words[0], words[1], words[2], words[3], words[4], words[5]);
    }

    private static void ok(String function, long... arguments) {
        assertEquals(0, call(function, arguments), function);
    }

    /// What the function wrote to its first argument.
    private long made(String function, long... more) {
        long[] arguments = new long[more.length + 1];
        arguments[0] = out.address();
        System.arraycopy(more, 0, arguments, 1, more.length);
        ok(function, arguments);
        return out.get(ValueLayout.JAVA_LONG, 0);
    }

    @BeforeEach
    void open() {
        out = arena.allocate(16);
        ok("cuInit", 0);
        ok("cuCtxPushCurrent_v2", made("cuDevicePrimaryCtxRetain", 0));
        stream = made("cuStreamCreate", 1);
        event = made("cuEventCreate", 2);
    }

    @AfterEach
    void close() {
        gpu.reset();
        ok("cuEventDestroy_v2", event);
        ok("cuStreamDestroy_v2", stream);
        ok("cuCtxPopCurrent_v2", out.address());
        ok("cuDevicePrimaryCtxRelease_v2", 0);
        assertEquals(0, gpu.count("all"), "alive after the test");
    }

    @Test
    void copies_arrive_in_order_and_fences_are_pending() {
        long device = made("cuMemAlloc_v2", SIZE);
        MemorySegment host = pinned();
        host.fill((byte) 7);
        gpu.hold(true);
        ok("cuMemcpyHtoDAsync_v2", device, host.address(), SIZE, stream);
        ok("cuEventRecord", event, stream);
        assertEquals(NOT_READY, call("cuEventQuery", event));
        assertEquals(NOT_READY, call("cuStreamQuery", stream));
        gpu.hold(false);
        ok("cuEventSynchronize", event);
        ok("cuEventQuery", event);
        host.fill((byte) 0);
        ok("cuMemcpyDtoHAsync_v2", host.address(), device, SIZE, stream);
        ok("cuStreamSynchronize", stream);
        assertEquals(7, host.get(ValueLayout.JAVA_BYTE, SIZE - 1));
        assertEquals(0, gpu.count("pageableCopies"));
        ok("cuMemFree_v2", device);
        ok("cuMemFreeHost", host.address());
    }

    @Test
    void a_stream_waits_for_anothers_event() {
        long device = made("cuMemAlloc_v2", SIZE);
        long other = made("cuStreamCreate", 1);
        MemorySegment host = pinned();
        gpu.delay(Duration.ofMillis(20));
        ok("cuMemsetD8Async", device, 5, SIZE, stream);
        ok("cuEventRecord", event, stream);
        ok("cuStreamWaitEvent", other, event, 0);
        ok("cuMemcpyDtoHAsync_v2", host.address(), device, SIZE, other);
        ok("cuStreamSynchronize", other);
        assertEquals(5, host.get(ValueLayout.JAVA_BYTE, SIZE - 1));
        ok("cuStreamDestroy_v2", other);
        assertEquals(INVALID_HANDLE, call("cuStreamSynchronize", other), "a stale handle");
        ok("cuMemFree_v2", device);
        ok("cuMemFreeHost", host.address());
    }

    @Test
    void memory_that_is_not_page_locked_is_copied_before_the_call_returns() {
        long device = made("cuMemAlloc_v2", SIZE);
        MemorySegment host = arena.allocate(SIZE).fill((byte) 3);
        ok("cuMemcpyHtoDAsync_v2", device, host.address(), SIZE, stream);
        assertEquals(0, call("cuStreamQuery", stream));
        assertEquals(1, gpu.count("pageableCopies"));
        ok("cuMemHostRegister_v2", host.address(), SIZE, 0);
        assertEquals(712, call("cuMemHostRegister_v2", host.address() + 8, 8, 0), "registered twice");
        ok("cuMemcpyHtoDAsync_v2", device, host.address(), SIZE, stream);
        assertEquals(1, gpu.count("pageableCopies"));
        ok("cuMemHostUnregister", host.address());
        assertEquals(713, call("cuMemHostUnregister", host.address()));
        ok("cuMemFree_v2", device);
    }

    @Test
    void memory_runs_out_and_ranges_are_checked() {
        gpu.memory(10 * SIZE);
        long device = made("cuMemAlloc_v2", 9 * SIZE);
        assertEquals(OUT_OF_MEMORY, call("cuMemAlloc_v2", out.address(), 2 * SIZE));
        ok("cuMemGetInfo_v2", out.address(), out.address() + 8);
        assertEquals(SIZE, out.get(ValueLayout.JAVA_LONG, 0));
        assertEquals(0, device % 256);
        assertNotEquals(0, device % 512, "more alignment than drivers promise");
        MemorySegment host = pinned();
        assertEquals(INVALID_VALUE, call("cuMemcpyHtoDAsync_v2", device + 9 * SIZE - 8, host.address(), 16, stream));
        assertEquals(INVALID_VALUE, call("cuMemcpyHtoDAsync_v2", host.address(), host.address(), 16, stream));
        assertEquals(INVALID_VALUE, call("cuMemFree_v2", device + 256));
        ok("cuMemFree_v2", device);
        assertEquals(INVALID_VALUE, call("cuMemFree_v2", device), "freed twice");
        ok("cuMemFreeHost", host.address());
        gpu.memory(1L << 33);
    }

    @Test
    void the_nth_call_fails_once() {
        gpu.fail("cuMemAlloc", 2, 999);
        long first = made("cuMemAlloc_v2", 10);
        assertEquals(999, call("cuMemAlloc_v2", out.address(), 10));
        long third = made("cuMemAlloc_v2", 10);
        assertEquals(3, gpu.calls("cuMemAlloc"));
        gpu.fail("*", 1, 700);
        assertEquals(700, call("cuMemFree_v2", first));
        assertEquals(1, gpu.count("allocations"), "a release that is told to fail releases");
        ok("cuMemFree_v2", third);
        assertThrows(IllegalArgumentException.class, () -> gpu.count("nonsense"));
    }

    @Test
    void work_that_fails_is_seen_by_every_later_call() {
        long device = made("cuMemAlloc_v2", SIZE);
        gpu.fail("@copy", 1, ILLEGAL_ADDRESS);
        gpu.hold(true);
        ok("cuMemsetD8Async", device, 5, SIZE, stream);
        ok("cuEventRecord", event, stream);
        gpu.hold(false);
        assertEquals(ILLEGAL_ADDRESS, call("cuEventSynchronize", event));
        assertEquals(ILLEGAL_ADDRESS, call("cuStreamSynchronize", stream));
        gpu.reset();
        ok("cuStreamSynchronize", stream);
        ok("cuMemFree_v2", device);
    }

    @Test
    void contexts_belong_to_threads() throws InterruptedException {
        int[] status = new int[1];
        Thread thread = new Thread(() -> {
            try (Arena own = Arena.ofConfined()) {
                status[0] = call("cuMemAlloc_v2", own.allocate(8).address(), 10);
            }
        });
        thread.start();
        thread.join();
        assertEquals(INVALID_CONTEXT, status[0]);
        ok("cuCtxPushCurrent_v2", made("cuDevicePrimaryCtxRetain", 1));
        assertEquals(INVALID_HANDLE, call("cuStreamSynchronize", stream), "another context's stream");
        ok("cuCtxPopCurrent_v2", out.address());
        ok("cuDevicePrimaryCtxRelease_v2", 1);
    }

    private MemorySegment pinned() {
        return RawMemory.view(made("cuMemHostAlloc", SIZE, 1), SIZE, arena);
    }
}
