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
import io.fastsafetensors.testkit.gpu.FakeGpu;
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
@Timeout(60)
class HipBackendTest {
    private static final int SIZE = 1 << 16;
    private static final int ILLEGAL_ADDRESS = 700;

    private FakeGpu gpu;
    private long before;
    private Backend backend;

    @BeforeEach
    void open() {
        gpu = FakeHip.gpu();
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
    void aFenceIsPendingUntilTheDeviceHasPassedIt() {
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
    void eventsAreUsedAgain() {
        try (CopyStream stream = backend.openCopyStream()) {
            for (int i = 0; i < 100; i++) {
                stream.fence().close();
            }
        }
        assertEquals(1, gpu.calls("hipEventCreateWithFlags"));
    }

    @Test
    void workThatFailsIsSaidByItsFenceAndByItsStream() {
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
    void lackOfMemoryNamesTheFigures() {
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
    void theUsersThreadKeepsItsDevice() {
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
    void devicesAreWhatHipNumbers() {
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
    void memoryOfTheHeapIsCopiedToo() {
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
    void closedHostMemoryIsRefusedAndForeignFencesAreWaitedFor() {
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
    void switchesWithoutMeaningAreRefused() {
        for (String property : new String[] {HipOptions.CODE_OBJECT, HipOptions.KERNEL_CACHE}) {
            for (String value : new String[] {"relative/path", "a\0b"}) {
                BackendException e = assertThrows(BackendException.class,
                        () -> FakeHip.open(Map.of(property, value)));
                assertTrue(e.getMessage().startsWith(property + " is no "), e.getMessage());
            }
        }
    }

    @Test
    void onlyWholePagesAreRegistered() {
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
