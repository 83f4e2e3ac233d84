package io.fastsafetensors.core.memory;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.error.OutOfDeviceMemoryException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.types.DeviceHandle;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class LoadMemoryTest {
    private static final long SHARE = 1000;
    private static final int BATCHES = 3;

    private long allocated;
    private long peak;
    private boolean full;
    private final SharedBackend device = new SharedBackend((Backend) Proxy.newProxyInstance(
            Backend.class.getClassLoader(), new Class<?>[] {Backend.class}, (_, method, arguments) -> {
                if (method.getName().equals("allocate")) {
                    return new Buffer((long) arguments[0]);
                }
                assertEquals("close", method.getName());
                return null;
            }), _ -> assertEquals(0, allocated, "the device was closed before its memory"));
    private final LoadMemory memory = LoadMemory.ofStream(device, SHARE * BATCHES);

    private final class Buffer implements DeviceBuffer {
        private final long bytes;
        private boolean closed;

        private Buffer(long bytes) {
            if (full) {
                throw new OutOfDeviceMemoryException(bytes, 0, Where.nowhere());
            }
            this.bytes = bytes;
            allocated += bytes;
            peak = Math.max(peak, allocated);
        }

        @Override
        public long byteSize() {
            return bytes;
        }

        @Override
        public DeviceHandle handle() {
            return DeviceHandle.pointer(1);
        }

        @Override
        public Optional<MemorySegment> segment() {
            return Optional.empty();
        }

        @Override
        public void close() {
            assertTrue(!closed, "freed twice");
            closed = true;
            allocated -= bytes;
        }
    }

    @AfterEach
    void nothing_is_left() {
        memory.close();
        assertEquals(0, allocated);
        device.release();
        assertTrue(!device.tryRetain(), "somebody still holds the device");
    }

    private SharedBuffer allocate(long bytes) {
        LoadMemory.Grant grant = memory.tryGrant(List.of(bytes), 0);
        assertNotNull(grant, bytes + " bytes were refused");
        try (grant) {
            return grant.allocate(bytes, 64);
        }
    }

    @Test
    void what_one_batch_leaves_the_next_one_takes() {
        SharedBuffer first = allocate(SHARE);
        DeviceBuffer bytes = first.buffer();
        SharedBuffer second = allocate(SHARE);
        assertNotSame(bytes, second.buffer());
        first.release();
        SharedBuffer third = allocate(SHARE);
        assertSame(bytes, third.buffer());
        second.release();
        third.release();
        assertEquals(2 * SHARE, allocated);
    }

    @Test
    void spares_make_room_for_what_they_do_not_fit() {
        allocate(SHARE).release();
        SharedBuffer large = allocate(BATCHES * SHARE);
        assertEquals(BATCHES * SHARE, allocated);
        large.release();
    }

    @Test
    void who_keeps_a_buffer_frees_it_after_the_end() {
        SharedBuffer detached = allocate(SHARE);
        memory.close();
        assertEquals(SHARE, allocated);
        detached.release();
        assertEquals(0, allocated);
    }

    @Test
    void a_device_without_room_says_so_and_may_be_asked_again() {
        SharedBuffer first = allocate(SHARE);
        full = true;
        for (int i = 0; i < 2 * BATCHES; i++) {
            assertThrows(OutOfDeviceMemoryException.class, () -> allocate(SHARE));
        }
        full = false;
        first.release();
        for (int i = 0; i < 2 * BATCHES; i++) {
            allocate(SHARE).release();
        }
        assertEquals(SHARE, allocated);
    }

    @Test
    void what_was_granted_is_promised_until_it_is_given_back() {
        LoadMemory.Grant grant = memory.tryGrant(List.of(), SHARE * BATCHES - 1);
        assertNotNull(grant);
        assertNull(memory.tryGrant(List.of(2L), 0));
        LoadMemory.Scratch scratch = grant.allocateScratch(SHARE, 64);
        grant.close();
        assertEquals(SHARE * (BATCHES - 1), memory.availableBytes());
        scratch.close();
        scratch.close();
        assertEquals(SHARE * BATCHES, memory.availableBytes());
        assertEquals(SHARE, memory.peakBytes());
    }

    @Test
    void nothing_is_allocated_past_a_grant() {
        try (LoadMemory.Grant grant = memory.tryGrant(List.of(), 10)) {
            assertNotNull(grant);
            assertThrows(AssertionError.class, () -> grant.allocateScratch(11, 64));
        }
    }

    @Test
    void who_waits_is_told_when_memory_comes_back() {
        int[] told = {0};
        SharedBuffer buffer = allocate(SHARE);
        memory.onRelease(() -> told[0]++);
        buffer.release();
        assertEquals(1, told[0]);
    }

    @Test
    void never_more_is_allocated_than_the_budget() {
        long seed = Long.getLong("fst.seed", System.nanoTime());
        SplittableRandom random = new SplittableRandom(seed);
        List<SharedBuffer> inUse = new ArrayList<>();
        for (int step = 0; step < 10_000; step++) {
            long bytes = random.nextLong(1, SHARE + 1) / 100 * 100;
            LoadMemory.Grant grant = random.nextBoolean() ? memory.tryGrant(List.of(bytes), random.nextInt(200)) : null;
            if (grant != null) {
                try (grant) {
                    inUse.add(grant.allocate(bytes, 64));
                }
            } else if (!inUse.isEmpty()) {
                inUse.remove(random.nextInt(inUse.size())).release();
            }
            assertTrue(allocated <= SHARE * BATCHES, allocated + " bytes (repeat with -Dfst.seed=" + seed + ")");
        }
        inUse.forEach(SharedBuffer::release);
        assertEquals(peak, memory.peakBytes());
    }
}
