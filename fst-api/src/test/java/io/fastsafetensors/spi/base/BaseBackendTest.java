package io.fastsafetensors.spi.base;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.error.OutOfDeviceMemoryException;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.spi.DeviceKind;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.spi.MemoryInfo;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.spi.TransferHints;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.DeviceHandle;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class BaseBackendTest {
    private static final DeviceHandle.Kind KIND = new DeviceHandle.Kind("TEST");

    /// Segments that copies were given.
    private final List<MemorySegment> copied = new ArrayList<>();
    private final Plain backend = new Plain();

    private final class Plain extends BaseBackend {
        Plain() {
            super("plain", DeviceInfo.of(new Device("plain", 0), DeviceKind.ACCELERATOR, "a test"));
        }

        @SuppressWarnings("MustBeClosed") // The lifetime closes the arena.
        @Override
        protected DeviceBuffer newBuffer(long bytes, long alignment) {
            Arena arena = Arena.ofShared();
            return new Memory(arena.allocate(Math.max(1, bytes), alignment).asSlice(0, bytes),
                    lifetime().memory("the buffer", arena, () -> {
                    }));
        }

        @Override
        protected CopyStream newStream() {
            return new Copies(lifetime());
        }
    }

    private static final class Memory extends BaseBuffer {
        private final MemorySegment memory;

        Memory(MemorySegment memory, Lifetime lifetime) {
            super(memory.byteSize(), DeviceHandle.object(KIND, 1), lifetime);
            this.memory = memory;
        }
    }

    private final class Copies extends BaseStream {
        Copies(Lifetime backend) {
            super(backend);
        }

        private MemorySegment part(DeviceBuffer buffer, long offset, long bytes) {
            return ((Memory) buffer).memory.asSlice(offset, bytes);
        }

        @Override
        protected void toDevice(MemorySegment source, DeviceBuffer target, long targetOffset) {
            copied.add(source);
            part(target, targetOffset, source.byteSize()).copyFrom(source);
        }

        @Override
        protected void toHost(DeviceBuffer source, long sourceOffset, MemorySegment target) {
            copied.add(target);
            target.copyFrom(part(source, sourceOffset, target.byteSize()));
        }

        @Override
        protected void within(DeviceBuffer source, long sourceOffset, DeviceBuffer target, long targetOffset,
                long bytes) {
            part(target, targetOffset, bytes).copyFrom(part(source, sourceOffset, bytes));
        }
    }

    @AfterEach
    void close() {
        backend.close();
    }

    @Test
    void arrays_and_memory_of_one_thread_reach_a_copy_as_memory_of_every_thread() throws Exception {
        byte[] bytes = new byte[(2 << 20) + 77];
        new Random(5).nextBytes(bytes);
        try (CopyStream stream = backend.openCopyStream(); DeviceBuffer buffer = backend.allocate(bytes.length, 1);
                Arena confined = Arena.ofConfined()) {
            MemorySegment mine = confined.allocate(bytes.length).copyFrom(MemorySegment.ofArray(bytes));
            stream.copyToDevice(mine, buffer, 0);
            byte[] back = new byte[bytes.length];
            stream.copyToHost(buffer, 0, MemorySegment.ofArray(back));
            assertArrayEquals(bytes, back);
            mine.fill((byte) 0);
            stream.copyToHost(buffer, 0, mine);
            assertEquals(-1, mine.mismatch(MemorySegment.ofArray(bytes)));
        }
        assertEquals(9, copied.size(), "in pieces of a MiB");
        for (MemorySegment each : copied) {
            assertTrue(each.isNative() && each.isAccessibleBy(new Thread(() -> {
            })));
        }
    }

    @Test
    void shared_memory_is_copied_as_it_is() {
        try (CopyStream stream = backend.openCopyStream(); DeviceBuffer buffer = backend.allocate(64, 1);
                Arena shared = Arena.ofShared()) {
            MemorySegment memory = shared.allocate(64);
            stream.copyToDevice(memory, buffer, 0);
            assertEquals(memory, copied.getFirst());
        }
    }

    @SuppressWarnings("MustBeClosed") // The memory of another thread, which nobody closes.
    @Test
    void what_cannot_be_copied_is_refused_before_anything_is() {
        CopyStream stream = backend.openCopyStream();
        DeviceBuffer buffer = backend.allocate(64, 1);
        MemorySegment closed = Arena.ofAuto().allocate(8);
        try (Arena arena = Arena.ofShared()) {
            closed = arena.allocate(8);
        }
        MemorySegment dead = closed;
        MemorySegment theirs = CompletableFuture.supplyAsync(() -> Arena.ofConfined().allocate(8)).join();
        MemorySegment array = MemorySegment.ofArray(new byte[8]);
        assertThrows(IllegalStateException.class, () -> stream.copyToDevice(dead, buffer, 0));
        assertThrows(WrongThreadException.class, () -> stream.copyToHost(buffer, 0, theirs));
        assertThrows(IllegalArgumentException.class, () -> stream.copyToHost(buffer, 0, array.asReadOnly()));
        assertThrows(IndexOutOfBoundsException.class, () -> stream.copyToDevice(array, buffer, 57));
        assertThrows(IndexOutOfBoundsException.class, () -> stream.copyToHost(buffer, -1, array));
        assertThrows(IndexOutOfBoundsException.class, () -> stream.copy(buffer, 0, buffer, 60, 5));
        buffer.close();
        assertThrows(IllegalStateException.class, () -> stream.copyToDevice(array, buffer, 0));
        stream.close();
        stream.close();
        assertThrows(IllegalStateException.class, () -> stream.copyToDevice(array, backend.allocate(8, 1), 0));
        assertThrows(IllegalStateException.class, stream::fence);
        assertEquals(List.of(), copied);
    }

    @Test
    void a_fence_outlives_its_stream() {
        CopyStream stream = backend.openCopyStream();
        Fence fence = stream.fence();
        stream.close();
        assertTrue(fence.isPassed());
        assertDoesNotThrow(fence::await);
        fence.close();
    }

    @Test
    void waiting_keeps_an_interrupt() {
        try (CopyStream stream = backend.openCopyStream(); Fence fence = stream.fence()) {
            Thread.currentThread().interrupt();
            fence.await();
            stream.synchronize();
            stream.waitFor(fence);
            assertTrue(Thread.interrupted());
        }
    }

    @Test
    void closing_a_backend_closes_what_is_open_there() {
        DeviceBuffer buffer = backend.allocate(64, 256);
        StagingBuffer staging = backend.allocateStaging(100);
        CopyStream stream = backend.openCopyStream();
        MemorySegment memory = staging.segment();
        assertEquals(0, memory.address() % 4096);
        assertFalse(staging.isPageLocked());
        backend.close();
        assertFalse(memory.scope().isAlive());
        assertThrows(IllegalStateException.class, buffer::byteSize);
        assertThrows(IllegalStateException.class, staging::segment);
        assertThrows(IllegalStateException.class, stream::synchronize);
        assertThrows(IllegalStateException.class, () -> backend.allocate(1, 1));
        assertThrows(IllegalStateException.class, () -> backend.allocateStaging(1));
        assertThrows(IllegalStateException.class, backend::openCopyStream);
        assertThrows(IllegalStateException.class, backend::kernels);
        buffer.close();
        staging.close();
        stream.close();
    }

    @Test
    void sizes_and_alignments_are_checked() {
        assertThrows(IllegalArgumentException.class, () -> backend.allocate(-1, 1));
        assertThrows(IllegalArgumentException.class, () -> backend.allocate(1, 3));
        assertThrows(IllegalArgumentException.class, () -> backend.allocate(1, 0));
        assertThrows(IllegalArgumentException.class, () -> backend.allocate(1, Long.MIN_VALUE));
        assertThrows(IllegalArgumentException.class, () -> backend.allocateStaging(-1));
        assertThrows(OutOfDeviceMemoryException.class, () -> backend.allocateStaging(1L << 60));
    }

    @Test
    void defaults_are_safe_and_every_pair_converts() {
        assertEquals(TransferHints.defaults(), backend.hints());
        assertEquals(MemoryInfo.unknown(), backend.memory());
        try (CopyStream stream = backend.openCopyStream(); DeviceBuffer from = backend.allocate(2, 1);
                DeviceBuffer to = backend.allocate(4, 1)) {
            stream.copyToDevice(MemorySegment.ofArray(new byte[] {0, 0x3c}), from, 0);
            backend.kernels().convert(stream, BufferSlice.of(from), DType.F16, BufferSlice.of(to), DType.F32, 1);
            byte[] one = new byte[4];
            stream.copyToHost(to, 0, MemorySegment.ofArray(one));
            assertArrayEquals(new byte[] {0, 0, (byte) 0x80, 0x3f}, one);
        }
    }
}
