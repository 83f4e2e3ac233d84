package io.fastsafetensors.backend.rocm.hip;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.backend.rocm.hip.ffm.Hip;
import io.fastsafetensors.backend.rocm.hip.ffm.HipFfm;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.OutOfDeviceMemoryException;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.test.gpu.FakeGpu;
import io.fastsafetensors.types.Device;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

@EnabledOnOs(OS.LINUX)
@Timeout(600)
class HipBackendTest {
    private static final int SIZE = 1 << 16;
    private static final int ILLEGAL_ADDRESS = 700;

    private final FakeGpu gpu = FakeHip.gpu();
    private long before;
    private Backend backend;

    @BeforeEach
    void open() {
        before = gpu.count("all");
        backend = FakeHip.open();
    }

    @AfterEach
    void close() {
        gpu.reset();
        backend.close();
        assertEquals(before, gpu.count("all"), "alive after the backend was closed");
    }

    @Test
    void a_fence_is_pending_until_the_device_has_passed_it() {
        DeviceBuffer buffer = backend.allocate(SIZE, 256);
        StagingBuffer staging = backend.allocateStaging(SIZE);
        CopyStream stream = backend.openCopyStream();
        long pageable = gpu.count("pageableCopies");
        gpu.hold(true);
        stream.copyToDevice(staging.segment(), buffer, 0);
        Fence fence = stream.fence();
        assertFalse(fence.isPassed());
        gpu.hold(false);
        fence.await();
        assertTrue(fence.isPassed());
        assertEquals(pageable, gpu.count("pageableCopies"), "staging memory is not page-locked");
        fence.close();
        assertTrue(fence.isPassed(), "what was seen stays known");
    }

    @Test
    void events_are_used_again() {
        try (CopyStream stream = backend.openCopyStream()) {
            for (int i = 0; i < 100; i++) {
                stream.fence().close();
            }
        }
        assertEquals(1, gpu.calls("hipEventCreateWithFlags"));
    }

    @Test
    void work_that_fails_is_said_by_its_fence_and_by_its_stream() {
        DeviceBuffer buffer = backend.allocate(SIZE, 256);
        StagingBuffer staging = backend.allocateStaging(SIZE);
        CopyStream stream = backend.openCopyStream();
        gpu.fail("@copy", 1, ILLEGAL_ADDRESS);
        gpu.hold(true);
        stream.copyToDevice(staging.segment(), buffer, 0);
        Fence fence = stream.fence();
        gpu.hold(false);
        BackendException e = assertThrows(BackendException.class, fence::await);
        assertEquals("libamdhip64.so.7: hipEventSynchronize failed with 700 (hipErrorIllegalAddress: an illegal memory"
                + " access was encountered) [backend hip]", e.getMessage());
        assertThrows(BackendException.class, fence::isPassed);
        assertThrows(BackendException.class, stream::synchronize);
        gpu.reset();
    }

    @Test
    void lack_of_memory_names_the_figures() {
        gpu.memory(10L * SIZE);
        try (DeviceBuffer _ = backend.allocate(7L * SIZE, 256)) {
            OutOfDeviceMemoryException e = assertThrows(OutOfDeviceMemoryException.class,
                    () -> backend.allocate(4L * SIZE, 256));
            assertEquals(4L * SIZE, e.requested());
            assertEquals(3L * SIZE, e.free());
            assertEquals("hip", e.where().backend());
        } finally {
            gpu.memory(8L << 30);
        }
        OutOfDeviceMemoryException e = assertThrows(OutOfDeviceMemoryException.class,
                () -> backend.allocateStaging(1L << 60));
        assertEquals(-1, e.free(), "the host does not say");
        backend.allocate(SIZE, 256);
    }

    @Test
    void the_users_thread_keeps_its_device() {
        Hip hip = new HipFfm();
        int[] current = new int[1];
        assertEquals(Hip.SUCCESS, hip.hipSetDevice(1));
        try (DeviceBuffer buffer = backend.allocate(SIZE, 256);
                StagingBuffer staging = backend.allocateStaging(SIZE);
                CopyStream stream = backend.openCopyStream()) {
            stream.copyToDevice(staging.segment(), buffer, 0);
            try (Fence fence = stream.fence(); CopyStream other = backend.openCopyStream()) {
                other.waitFor(fence);
                other.copyToHost(buffer, 0, staging.segment());
                other.synchronize();
            }
            assertEquals(SIZE, backend.memory().total() - backend.memory().free(), "bytes on the first device");
            gpu.fail("hipMalloc", 1, 999);
            assertThrows(BackendException.class, () -> backend.allocate(1, 1));
            assertEquals(Hip.SUCCESS, hip.hipGetLastError(), "the user's last error");
        }
        hip.hipGetDevice(current);
        assertEquals(1, current[0]);
        hip.hipSetDevice(0);
    }

    @Test
    void devices_are_what_hip_numbers() {
        BackendException e = assertThrows(BackendException.class,
                () -> FakeHip.provider().open(new Device("rocm", 2), BackendOptions.defaults()));
        assertEquals("no device rocm:2; HIP has rocm:0, rocm:1 [backend hip]", e.getMessage());
        try (Backend second = FakeHip.provider().open(new Device("rocm", 1), BackendOptions.defaults())) {
            assertEquals("Fake GPU 1", second.info().name());
            assertEquals("0000:02:00.0", second.info().attributes().get("pci bus id"));
            assertEquals("gfx90a:sramecc+:xnack-", second.info().attributes().get("architecture"));
            second.allocate(SIZE, 256);
            assertEquals(backend.memory().total(), backend.memory().free(), "memory of the other device");
        }
    }

    @Test
    void memory_of_the_heap_is_copied_too() {
        byte[] bytes = {1, 2, 3, 4, 5};
        byte[] back = new byte[5];
        try (DeviceBuffer buffer = backend.allocate(5, 1); CopyStream stream = backend.openCopyStream()) {
            stream.copyToDevice(MemorySegment.ofArray(bytes), buffer, 0);
            stream.copyToHost(buffer, 0, MemorySegment.ofArray(back));
            stream.synchronize();
            assertThrows(IllegalArgumentException.class,
                    () -> stream.copyToHost(buffer, 0, MemorySegment.ofArray(back).asReadOnly()));
        }
        assertArrayEquals(bytes, back);
    }

    @Test
    void closed_host_memory_is_refused_and_foreign_fences_are_waited_for() {
        try (DeviceBuffer buffer = backend.allocate(8, 1);
                CopyStream stream = backend.openCopyStream();
                Backend other = FakeHip.open();
                CopyStream foreign = other.openCopyStream();
                Fence fence = foreign.fence()) {
            MemorySegment gone;
            try (Arena arena = Arena.ofConfined()) {
                gone = arena.allocate(8);
            }
            assertThrows(IllegalStateException.class, () -> stream.copyToDevice(gone, buffer, 0));
            assertThrows(IllegalStateException.class, () -> stream.copyToHost(buffer, 0, gone));
            stream.waitFor(fence);
            assertTrue(fence.isPassed());
        }
    }

    @Test
    void switches_without_meaning_are_refused() {
        for (String property : new String[] {HipOptions.CODE_OBJECT, HipOptions.KERNEL_CACHE}) {
            for (String value : new String[] {"relative/path", "a\0b"}) {
                BackendException e = assertThrows(BackendException.class,
                        () -> FakeHip.open(Map.of(property, value)));
                assertTrue(e.getMessage().startsWith(property + " is no "), e.getMessage());
            }
        }
    }

    @Test
    void only_whole_pages_are_registered() {
        try (StagingBuffer staging = backend.allocateStaging(SIZE)) {
            MemorySegment odd = staging.segment().asSlice(8);
            assertThrows(IllegalArgumentException.class, () -> backend.registerHost(odd, false));
            assertThrows(IllegalArgumentException.class,
                    () -> backend.registerHost(MemorySegment.ofArray(new byte[SIZE]), false));
            BackendException e = assertThrows(BackendException.class,
                    () -> backend.registerHost(staging.segment(), false));
            assertTrue(e.getMessage().contains("hipHostRegister failed with 712"), e.getMessage());
        }
    }
}
