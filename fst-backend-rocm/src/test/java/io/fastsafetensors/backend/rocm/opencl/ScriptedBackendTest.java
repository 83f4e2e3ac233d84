package io.fastsafetensors.backend.rocm.opencl;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.backend.rocm.opencl.binding.OpenCl;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.OutOfDeviceMemoryException;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.spi.TransferHints;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.DeviceHandle;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/// The backend over a driver that does as it is told.
class ScriptedBackendTest {
    private static final int DEVICE_LOST = -9999;

    private final FakeDriver driver = FakeDriver.ofOneGpu();
    private final Backend backend = open(driver);
    private final CopyStream stream = backend.openCopyStream();

    private static Backend open(FakeDriver driver) {
        return Installation.find(() -> driver).open(Device.parse("opencl:0"));
    }

    @AfterEach
    void nothingIsLeft() {
        driver.proceed();
        backend.close();
        assertEquals(Map.of(), driver.alive());
        assertEquals(List.of(), driver.misuse);
    }

    @Test
    void copies_from_staging_memory_are_pending_until_the_driver_is_done() {
        StagingBuffer staging = backend.allocateStaging(100);
        DeviceBuffer buffer = backend.allocate(100, 256);
        driver.hold();
        stream.copyToDevice(staging.segment().asSlice(10, 20), buffer, 3);
        assertEquals("clFlush", driver.calls.getLast(), "the device may start");
        try (Fence fence = stream.fence()) {
            assertFalse(fence.isPassed());
            driver.proceed();
            assertTrue(fence.isPassed());
            fence.await();
        }
    }

    @Test
    void other_host_memory_is_copied_when_the_call_returns() {
        DeviceBuffer buffer = backend.allocate(100_000, 256);
        try (Arena arena = Arena.ofConfined()) {
            driver.hold();
            MemorySegment host = arena.allocate(100_000);
            host.fill((byte) 5);
            stream.copyToDevice(host, buffer, 0);
            host.fill((byte) 6);
            byte[] back = new byte[3];
            stream.copyToHost(buffer, 99_997, MemorySegment.ofArray(back));
            assertArrayEquals(new byte[] {5, 5, 5}, back);
        }
    }

    @Test
    void arrays_of_any_type_are_copied() {
        DeviceBuffer buffer = backend.allocate(40, 256);
        stream.copyToDevice(MemorySegment.ofArray(new long[] {1, 2, 3, 4}), buffer, 8);
        float[] back = new float[2];
        stream.copyToHost(buffer, 16, MemorySegment.ofArray(back));
        assertEquals(2, Float.floatToRawIntBits(back[0]));
    }

    @Test
    void memory_that_the_driver_must_not_touch_is_refused() {
        DeviceBuffer buffer = backend.allocate(100, 256);
        int before = driver.calls.size();
        MemorySegment closed;
        try (Arena arena = Arena.ofConfined()) {
            closed = arena.allocate(10);
            MemorySegment readOnly = closed.asReadOnly();
            assertThrows(IllegalArgumentException.class, () -> stream.copyToHost(buffer, 0, readOnly));
            CompletableFuture.runAsync(() -> assertThrows(WrongThreadException.class,
                    () -> stream.copyToDevice(readOnly, buffer, 0))).join();
        }
        assertThrows(IllegalStateException.class, () -> stream.copyToDevice(closed, buffer, 0));
        assertEquals(before, driver.calls.size(), "the driver was asked");
    }

    @Test
    void a_fence_behind_nothing_has_passed() {
        try (Fence fence = stream.fence()) {
            assertTrue(fence.isPassed());
            fence.await();
            stream.waitFor(fence);
        }
    }

    @Test
    void a_command_that_fails_reaches_every_later_fence() {
        StagingBuffer staging = backend.allocateStaging(100);
        DeviceBuffer buffer = backend.allocate(100, 256);
        CopyStream other = backend.openCopyStream();
        driver.failNextCommand(DEVICE_LOST);
        stream.copyToDevice(staging.segment(), buffer, 0);
        Fence at = stream.fence();
        stream.copyToHost(buffer, 0, staging.segment());
        Fence behind = stream.fence();
        other.waitFor(behind);
        Fence across = other.fence();
        assertFailed("-9999", assertThrows(BackendException.class, at::isPassed));
        assertFailed("-9999", assertThrows(BackendException.class, at::await));
        assertFailed("CL_EXEC_STATUS_ERROR", assertThrows(BackendException.class, behind::await));
        assertFailed("CL_EXEC_STATUS_ERROR", assertThrows(BackendException.class, across::isPassed));
        assertThrows(BackendException.class, stream::synchronize);
        stream.synchronize();
        stream.copyToDevice(staging.segment(), buffer, 0);
        stream.synchronize();
        assertThrows(BackendException.class, other::close);
        List.of(at, behind, across).forEach(Fence::close);
    }

    private static void assertFailed(String status, BackendException e) {
        assertTrue(e.getMessage().contains(status), e.getMessage());
        assertTrue(e.getMessage().contains("queued command"), e.getMessage());
    }

    @Test
    void a_blocking_copy_does_not_hide_what_failed_before_it() {
        StagingBuffer staging = backend.allocateStaging(100);
        DeviceBuffer buffer = backend.allocate(100, 256);
        driver.failNextCommand(DEVICE_LOST);
        stream.copyToDevice(staging.segment(), buffer, 0);
        assertThrows(BackendException.class, () -> stream.copyToHost(buffer, 0, MemorySegment.ofArray(new byte[9])));
        assertThrows(BackendException.class, stream::synchronize);
    }

    @Test
    void a_closed_fence_answers_with_illegal_state() {
        StagingBuffer staging = backend.allocateStaging(100);
        stream.copyToDevice(staging.segment(), backend.allocate(100, 256), 0);
        Fence fence = stream.fence();
        fence.close();
        fence.close();
        assertThrows(IllegalStateException.class, fence::isPassed);
        assertThrows(IllegalStateException.class, fence::await);
        assertThrows(IllegalStateException.class, () -> stream.waitFor(fence));
    }

    @Test
    void a_fence_of_another_backend_is_waited_for_on_the_host() {
        FakeDriver away = FakeDriver.ofOneGpu();
        try (Backend other = open(away); CopyStream there = other.openCopyStream()) {
            StagingBuffer staging = other.allocateStaging(10);
            DeviceBuffer buffer = other.allocate(10, 1);
            away.hold();
            there.copyToDevice(staging.segment(), buffer, 0);
            try (Fence fence = there.fence()) {
                stream.waitFor(fence);
                assertTrue(fence.isPassed());
            }
        }
        assertFalse(driver.calls.contains("clEnqueueMarkerWithWaitList"));
        assertEquals(Map.of(), away.alive());
    }

    @Test
    void a_buffer_larger_than_the_device_allows_is_refused_by_that_limit() {
        OutOfDeviceMemoryException e =
                assertThrows(OutOfDeviceMemoryException.class, () -> backend.allocate(FakeDevice.LARGEST + 1, 256));
        assertTrue(e.getMessage().contains("CL_DEVICE_MAX_MEM_ALLOC_SIZE"), e.getMessage());
        assertTrue(e.getMessage().contains(Long.toString(FakeDevice.LARGEST)), e.getMessage());
        assertEquals(FakeDevice.LARGEST + 1, e.requested());
        backend.allocate(FakeDevice.LARGEST, 256).close();
    }

    @Test
    void memory_that_is_missing_at_first_use_is_missed_when_it_is_allocated() {
        driver.failNextCommand(OpenCl.CL_MEM_OBJECT_ALLOCATION_FAILURE);
        OutOfDeviceMemoryException e =
                assertThrows(OutOfDeviceMemoryException.class, () -> backend.allocate(1000, 256));
        assertEquals(1000, e.requested());
        assertEquals(-1, e.free());
        assertTrue(e.getMessage().contains("CL_MEM_OBJECT_ALLOCATION_FAILURE"), e.getMessage());
        backend.allocate(1000, 256).close();
    }

    @Test
    void staging_memory_ends_where_a_mapping_ends() {
        OutOfDeviceMemoryException e =
                assertThrows(OutOfDeviceMemoryException.class, () -> backend.allocateStaging(1L << 31));
        assertTrue(e.getMessage().contains("staging"), e.getMessage());
    }

    @Test
    void free_memory_is_known_where_the_driver_tells() {
        assertEquals(-1, backend.memory().free());
        assertEquals(FakeDevice.TOTAL, backend.memory().total());
        FakeDriver amd = new FakeDriver();
        amd.platforms.add(new FakePlatform("AMD", new FakeDevice("gfx", 4).withFreeKibibytes(300)));
        try (Backend other = open(amd)) {
            assertEquals(300 << 10, other.memory().free());
            amd.fail("clGetDeviceInfo", -33);
            amd.fail("clCreateBuffer", -4);
            assertEquals(-1, assertThrows(OutOfDeviceMemoryException.class, () -> other.allocate(1, 1)).free());
        }
    }

    @Test
    void graphics_processors_are_fed_as_was_measured_and_lock_staging_memory() {
        assertEquals(new TransferHints(256, 4 << 20, 8, 2), backend.hints());
        assertTrue(backend.allocateStaging(1).isPageLocked());
        FakeDriver host = new FakeDriver();
        host.platforms.add(new FakePlatform("Host", new FakeDevice("cpu", OpenCl.CL_DEVICE_TYPE_CPU)));
        try (Backend other = open(host)) {
            assertEquals(0, other.hints().readers());
            assertFalse(other.allocateStaging(1).isPageLocked());
        }
    }

    @Test
    void a_buffer_is_a_cl_mem() {
        DeviceBuffer buffer = backend.allocate(0, 4096);
        assertEquals(DeviceHandle.Kind.CL_MEM, buffer.handle().kind());
        assertEquals(0, buffer.handle().offset());
        assertTrue(buffer.segment().isEmpty());
        assertEquals(0, buffer.byteSize());
    }

    @Test
    void kernels_get_the_buffers_and_offsets_and_stay_with_their_stream() {
        DeviceBuffer source = backend.allocate(1000, 256);
        DeviceBuffer target = backend.allocate(1000, 256);
        for (int i = 0; i < 2; i++) {
            backend.kernels().convert(stream, new BufferSlice(source, 256, 400), DType.F32,
                    new BufferSlice(target, 512, 200), DType.F16, 100);
        }
        assertEquals(1, driver.calls.stream().filter("clCreateKernel"::equals).count());
        FakeDriver.Launch launch = driver.launches.getLast();
        assertEquals(source.handle().value(), FakeDriver.word(launch.arguments().get(0)));
        assertEquals(256, FakeDriver.word(launch.arguments().get(1)));
        assertEquals(target.handle().value(), FakeDriver.word(launch.arguments().get(2)));
        assertEquals(512, FakeDriver.word(launch.arguments().get(3)));
        assertEquals(5, launch.arguments().size());
        try (CopyStream other = backend.openCopyStream()) {
            backend.kernels().convert(other, new BufferSlice(source, 0, 400), DType.F32,
                    new BufferSlice(target, 0, 200), DType.F16, 100);
        }
        assertEquals(2, driver.calls.stream().filter("clCreateKernel"::equals).count());
        assertEquals(1, driver.calls.stream().filter("clBuildProgram"::equals).count());
    }

    @Test
    void a_device_with_small_groups_gets_smaller_ones_and_as_many_work_items() {
        DeviceBuffer source = backend.allocate(400, 256);
        DeviceBuffer target = backend.allocate(200, 256);
        try (CopyStream other = backend.openCopyStream()) {
            for (CopyStream each : List.of(stream, other)) {
                backend.kernels().convert(each, BufferSlice.of(source), DType.F32, BufferSlice.of(target), DType.F16,
                        100);
                driver.kernelGroup = 48;
            }
        }
        FakeDriver.Launch planned = driver.launches.getFirst();
        FakeDriver.Launch small = driver.launches.getLast();
        assertEquals(planned.globalSize(), small.globalSize());
        assertTrue(small.localSize() <= 48 && small.globalSize() % small.localSize() == 0, small::toString);
        assertTrue(planned.localSize() > 48, planned::toString);
    }

    @Test
    void launches_on_a_processor_are_all_of_one_width_and_those_on_others_as_wide_as_the_work() {
        assertEquals(2, widths(driver, backend).size());
        FakeDriver host = new FakeDriver();
        host.platforms.add(new FakePlatform("Host", new FakeDevice("cpu", OpenCl.CL_DEVICE_TYPE_CPU)));
        try (Backend other = open(host)) {
            assertEquals(1, widths(host, other).size());
        }
    }

    /// Of launches with little and with much to do.
    private static Set<Long> widths(FakeDriver driver, Backend backend) {
        try (CopyStream stream = backend.openCopyStream(); DeviceBuffer source = backend.allocate(240_000, 256);
                DeviceBuffer target = backend.allocate(120_000, 256)) {
            for (int elements : new int[] {100, 60_000}) {
                backend.kernels().convert(stream, new BufferSlice(source, 0, 4L * elements), DType.F32,
                        new BufferSlice(target, 0, 2L * elements), DType.F16, elements);
            }
        }
        return driver.launches.stream().map(FakeDriver.Launch::globalSize).collect(Collectors.toSet());
    }

    @Test
    void streams_and_buffers_of_others_are_refused() {
        DeviceBuffer own = backend.allocate(400, 256);
        DeviceBuffer foreign = new PointerBuffer();
        assertThrows(IllegalArgumentException.class, () -> stream.copy(foreign, 0, own, 0, 8));
        assertThrows(IllegalArgumentException.class, () -> stream.copyToDevice(
                MemorySegment.ofArray(new byte[8]), foreign, 0));
        FakeDriver away = FakeDriver.ofOneGpu();
        try (Backend other = open(away); CopyStream there = other.openCopyStream()) {
            assertThrows(IllegalArgumentException.class, () -> backend.kernels().convert(there, BufferSlice.of(own),
                    DType.U8, BufferSlice.of(own), DType.U8, 400));
        }
    }

    private record PointerBuffer() implements DeviceBuffer {
        @Override
        public long byteSize() {
            return 16;
        }

        @Override
        public DeviceHandle handle() {
            return DeviceHandle.pointer(64);
        }

        @Override
        public Optional<MemorySegment> segment() {
            return Optional.empty();
        }

        @Override
        public void close() {
            // Nothing to free.
        }
    }

    @Test
    void closing_the_backend_closes_what_is_open() {
        DeviceBuffer buffer = backend.allocate(10, 64);
        StagingBuffer staging = backend.allocateStaging(10);
        MemorySegment memory = staging.segment();
        backend.close();
        backend.close();
        assertThrows(IllegalStateException.class, buffer::handle);
        assertThrows(IllegalStateException.class, staging::segment);
        assertThrows(IllegalStateException.class, () -> memory.get(ValueLayout.JAVA_BYTE, 0));
        assertThrows(IllegalStateException.class, stream::fence);
        assertThrows(IllegalStateException.class, () -> backend.allocate(1, 1));
        assertThrows(IllegalStateException.class, () -> backend.allocateStaging(1));
        assertThrows(IllegalStateException.class, backend::openCopyStream);
        assertThrows(IllegalStateException.class, backend::kernels);
        assertThrows(IllegalStateException.class, backend::memory);
    }
}
