package io.fastsafetensors.backend.cuda.fakegpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.backend.cuda.CudaBackendProvider;
import io.fastsafetensors.backend.cuda.Session;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.test.gpu.FakeGpu;
import io.fastsafetensors.types.Device;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// Failures and leaks through JCuda, seen from the driver's side.
@OnFakeGpu
@Timeout(600)
class FakeGpuFaultsTest {
    private static final BackendProvider PROVIDER = new CudaBackendProvider();
    private static FakeGpu gpu;
    private long before;

    @BeforeAll
    static void load() {
        gpu = TheGpu.load();
        assertTrue(PROVIDER.probe().isAvailable(), () -> PROVIDER.probe().toString());
    }

    @BeforeEach
    void reset() {
        gpu.reset();
        before = gpu.count("all");
    }

    private static Backend open() {
        return PROVIDER.open(new Device("cuda", 0), BackendOptions.defaults());
    }

    @Test
    @Tag("slow")
    void whichever_call_fails_nothing_is_left_in_the_driver() {
        assertEquals(List.of(), Session.run(FakeGpuFaultsTest::open));
        long calls = gpu.calls("*");
        assertTrue(calls > 50, calls + " calls");
        for (int status : new int[] {2, 700}) {
            for (long nth = 1; nth <= calls; nth++) {
                failOnce(nth, status);
            }
        }
    }

    private static void failOnce(long nth, int status) {
        long before = gpu.count("all");
        gpu.reset();
        gpu.fail("*", nth, status);
        List<Throwable> thrown = Session.run(FakeGpuFaultsTest::open);
        String what = "call " + nth + " fails with " + status + "; thrown " + thrown;
        thrown.forEach(each -> assertInstanceOf(BackendException.class, each, what));
        assertEquals(0, gpu.count("contexts"), what);
        // What cannot enter the context cannot be freed; a real context's release does it.
        if (!what.contains("cuCtxPushCurrent")) {
            assertEquals(before, gpu.count("all"), what);
        }
    }

    @Test
    void a_copy_that_fails_on_the_device_is_reported_by_its_fence() {
        try (Backend backend = open(); DeviceBuffer buffer = backend.allocate(64, 64);
                StagingBuffer staging = backend.allocateStaging(64)) {
            CopyStream stream = backend.openCopyStream();
            gpu.hold(true);
            gpu.fail("@copy", 1, 700);
            stream.copyToDevice(staging.segment(), buffer, 0);
            try (Fence fence = stream.fence()) {
                gpu.hold(false);
                BackendException e = assertThrows(BackendException.class, fence::await);
                assertTrue(e.getMessage().contains("CUDA_ERROR_ILLEGAL_ADDRESS"), e.getMessage());
            } finally {
                gpu.reset();
            }
        }
        assertEquals(before, gpu.count("all"));
    }

    @Test
    void a_fence_is_pending_until_the_device_is_there_and_waiting_sleeps() {
        try (Backend backend = open(); DeviceBuffer buffer = backend.allocate(64, 64);
                StagingBuffer staging = backend.allocateStaging(64); CopyStream stream = backend.openCopyStream()) {
            long pageable = gpu.count("pageableCopies");
            gpu.hold(true);
            try {
                stream.copyToDevice(staging.segment(), buffer, 0);
                assertEquals(pageable, gpu.count("pageableCopies"));
                Fence fence = stream.fence();
                assertFalse(fence.isPassed());
                Thread releaser = Thread.ofPlatform().start(() -> {
                    while (gpu.calls("cuEventSynchronize") == 0) {
                        Thread.onSpinWait();
                    }
                    gpu.hold(false);
                });
                fence.await();
                assertTrue(fence.isPassed());
                join(releaser);
            } finally {
                gpu.hold(false);
            }
        }
    }

    private static void join(Thread thread) {
        try {
            thread.join();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void a_staging_buffer_beyond_jcudas_limit_is_refused_and_the_backend_works_on() {
        try (Backend backend = open()) {
            BackendException e = assertThrows(BackendException.class, () -> backend.allocateStaging(1L << 31));
            assertTrue(e.getMessage().contains("smaller than 2 GiB"), e.getMessage());
            backend.allocateStaging(4096).close();
        }
        assertEquals(before, gpu.count("all"));
    }

    @Test
    void two_hundred_rounds_on_two_backends_leave_nothing() {
        for (int round = 0; round < 200; round++) {
            try (Backend one = open(); Backend two = open()) {
                one.allocate(1 << 20, 4096);
                two.allocateStaging(4096);
                try (CopyStream stream = two.openCopyStream(); Fence fence = stream.fence()) {
                    fence.await();
                }
            }
        }
        assertEquals(before, gpu.count("all"));
    }
}
