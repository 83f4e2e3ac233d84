package io.fastsafetensors.backend.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.DeviceHandle;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/// The backend as the provider opens it.
class CpuBackendTest {
    private static final ValueLayout.OfByte BYTE = ValueLayout.JAVA_BYTE;

    private final Backend backend = new CpuBackendProvider().open(Device.CPU, BackendOptions.defaults());
    private final CopyStream stream = backend.openCopyStream();

    @AfterEach
    void close() {
        backend.close();
    }

    @Test
    void a_backend_describes_itself() {
        assertEquals("cpu", backend.name());
        assertEquals(Device.CPU, backend.info().device());
        assertEquals(64, backend.hints().tensorAlignment());
        assertEquals(8 << 20, backend.hints().blockBytes());
        assertTrue(backend.memory().free() <= backend.memory().total());
        assertTrue(backend.directStorage().isEmpty());
    }

    /// Only the ends are touched: the rest of the 5 GiB stays address space.
    @Test
    void buffers_may_be_larger_than_an_int_counts() {
        long bytes = (5L << 30) + 6;
        long far = 4L << 30;
        DeviceBuffer buffer = backend.allocate(bytes, 64);
        MemorySegment memory = buffer.segment().orElseThrow();
        memory.set(BYTE, 0, (byte) 1);
        memory.set(BYTE, bytes - 1, (byte) 2);
        stream.copy(buffer, bytes - 1, buffer, 1, 1);
        assertEquals(2, memory.get(BYTE, 1));
        memory.set(ValueLayout.JAVA_FLOAT_UNALIGNED, far, 1.5f);
        backend.kernels().convert(stream, new BufferSlice(buffer, far, 4), DType.F32,
                new BufferSlice(buffer, bytes - 8, 8), DType.F64, 1);
        assertEquals(1.5, memory.get(ValueLayout.JAVA_DOUBLE_UNALIGNED, bytes - 8));
    }

    @Test
    void nothing_works_after_close() {
        DeviceBuffer buffer = backend.allocate(100, 64);
        MemorySegment memory = buffer.segment().orElseThrow();
        MemorySegment slice = memory.asSlice(10, 20);
        buffer.close();
        buffer.close();
        assertThrows(IllegalStateException.class, buffer::byteSize);
        assertThrows(IllegalStateException.class, buffer::handle);
        assertThrows(IllegalStateException.class, buffer::segment);
        assertThrows(IllegalStateException.class, () -> memory.get(BYTE, 0));
        assertThrows(IllegalStateException.class, () -> slice.set(BYTE, 0, (byte) 0));
        StagingBuffer staging = backend.allocateStaging(1);
        assertFalse(staging.isPageLocked());
        assertEquals(0, staging.segment().address() % 4096);
        staging.close();
        staging.close();
        assertThrows(IllegalStateException.class, staging::segment);
    }

    @Test
    void empty_buffers_are_distinct() {
        DeviceBuffer one = backend.allocate(0, 256);
        DeviceBuffer other = backend.allocate(0, 256);
        assertEquals(0, one.byteSize());
        assertEquals(0, one.segment().orElseThrow().byteSize());
        assertNotEquals(one.handle(), other.handle());
        one.close();
        assertEquals(0, other.handle().value() % 256);
    }

    @Test
    void bad_requests_are_refused() {
        assertThrows(IllegalArgumentException.class, () -> backend.allocate(-1, 64));
        assertThrows(IllegalArgumentException.class, () -> backend.allocate(1, 0));
        assertThrows(IllegalArgumentException.class, () -> backend.allocate(1, 48));
        assertThrows(IllegalArgumentException.class, () -> backend.allocate(1, Long.MIN_VALUE));
        assertThrows(IllegalArgumentException.class, () -> backend.allocateStaging(-1));
    }

    @Test
    @Tag("denied")
    void many_threads_share_a_buffer() throws Exception {
        DeviceBuffer buffer = backend.allocate(8 << 20, 64);
        MemorySegment memory = buffer.segment().orElseThrow();
        try (ExecutorService threads = Executors.newFixedThreadPool(8)) {
            List<Callable<Boolean>> writers = IntStream.range(0, 8).<Callable<Boolean>>mapToObj(i -> () -> {
                memory.asSlice((long) i << 20, 1 << 20).fill((byte) i);
                DeviceBuffer own = backend.allocate(4096, 64);
                own.close();
                return true;
            }).toList();
            threads.invokeAll(writers).forEach(done -> assertTrue(done.resultNow()));
            List<Callable<Boolean>> closers = IntStream.range(0, 8).<Callable<Boolean>>mapToObj(i -> () -> {
                buffer.close();
                return true;
            }).toList();
            assertEquals(7, memory.get(BYTE, (8 << 20) - 1));
            threads.invokeAll(closers).forEach(done -> assertTrue(done.resultNow()));
        }
        assertThrows(IllegalStateException.class, buffer::segment);
    }

    @Test
    @Tag("denied")
    void closing_the_backend_frees_what_is_open() {
        DeviceBuffer buffer = backend.allocate(10, 64);
        StagingBuffer staging = backend.allocateStaging(10);
        MemorySegment memory = staging.segment();
        backend.close();
        backend.close();
        assertThrows(IllegalStateException.class, buffer::segment);
        assertThrows(IllegalStateException.class, () -> memory.get(BYTE, 0));
        assertThrows(IllegalStateException.class, () -> backend.allocate(1, 1));
        assertThrows(IllegalStateException.class, () -> backend.allocateStaging(1));
        assertThrows(IllegalStateException.class, backend::openCopyStream);
        assertThrows(IllegalStateException.class, backend::kernels);
        assertThrows(IllegalStateException.class, backend::memory);
        buffer.close();
    }

    @Test
    @Tag("denied")
    void copies_are_done_when_they_return() {
        DeviceBuffer a = backend.allocate(16, 64);
        DeviceBuffer b = backend.allocate(16, 64);
        byte[] in = "0123456789abcdef".getBytes(StandardCharsets.US_ASCII);
        byte[] out = new byte[8];
        stream.copyToDevice(MemorySegment.ofArray(in), a, 0);
        stream.copy(a, 3, b, 1, 9);
        stream.copyToHost(b, 2, MemorySegment.ofArray(out));
        assertEquals("456789ab", new String(out, StandardCharsets.US_ASCII));
        try (Fence fence = stream.fence()) {
            assertTrue(fence.isPassed());
            fence.await();
            stream.waitFor(fence);
        }
        stream.synchronize();
    }

    @Test
    void copies_outside_are_refused_and_do_nothing() {
        DeviceBuffer a = backend.allocate(16, 64);
        a.segment().orElseThrow().fill((byte) 7);
        MemorySegment five = MemorySegment.ofArray(new byte[5]);
        assertThrows(IndexOutOfBoundsException.class, () -> stream.copyToDevice(five, a, 12));
        assertThrows(IndexOutOfBoundsException.class, () -> stream.copyToDevice(five, a, -1));
        assertThrows(IndexOutOfBoundsException.class, () -> stream.copyToHost(a, 12, five));
        assertThrows(IndexOutOfBoundsException.class, () -> stream.copy(a, 0, a, 12, 5));
        assertThrows(IndexOutOfBoundsException.class, () -> stream.copy(a, Long.MAX_VALUE, a, 0, 1));
        assertThrows(IndexOutOfBoundsException.class, () -> stream.copy(a, 0, a, 8, -1));
        for (int i = 0; i < 16; i++) {
            assertEquals(7, a.segment().orElseThrow().get(BYTE, i));
        }
        stream.copyToDevice(five.asSlice(0, 0), a, 16);
    }

    @Test
    void a_closed_stream_is_refused() {
        DeviceBuffer a = backend.allocate(16, 64);
        stream.close();
        stream.close();
        assertThrows(IllegalStateException.class, () -> stream.copy(a, 0, a, 8, 8));
        assertThrows(IllegalStateException.class, stream::fence);
        assertThrows(IllegalStateException.class, stream::synchronize);
        assertThrows(IllegalStateException.class, () -> stream.waitFor(Fence.passed()));
    }

    @Test
    void only_host_memory_is_copied() {
        DeviceBuffer foreign = new DeviceBuffer() {
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
        };
        DeviceBuffer a = backend.allocate(16, 64);
        assertThrows(IllegalArgumentException.class, () -> stream.copy(foreign, 0, a, 0, 8));
        assertThrows(IllegalArgumentException.class, () -> backend.kernels().convert(stream, BufferSlice.of(foreign),
                DType.U8, BufferSlice.of(a), DType.I8, 16));
    }
}
