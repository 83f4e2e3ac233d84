package io.fastsafetensors.core.memory;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
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

class SpareBuffersTest {
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
    private final SpareBuffers buffers = new SpareBuffers(device, SHARE, BATCHES);

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
        buffers.close();
        assertEquals(0, allocated);
        device.release();
        assertTrue(!device.tryRetain(), "somebody still holds the device");
    }

    @Test
    void what_one_batch_leaves_the_next_one_takes() {
        SharedBuffer first = buffers.allocate(SHARE, 64);
        DeviceBuffer memory = first.buffer();
        SharedBuffer second = buffers.allocate(SHARE, 64);
        assertNotSame(memory, second.buffer());
        first.release();
        SharedBuffer third = buffers.allocate(SHARE, 64);
        assertSame(memory, third.buffer());
        second.release();
        third.release();
        assertEquals(2 * SHARE, allocated);
    }

    @Test
    void a_nearly_full_batch_gets_a_whole_share() {
        assertEquals(SHARE, buffers.sizeFor(SHARE / 2 + 1));
        assertEquals(SHARE, buffers.sizeFor(SHARE));
        assertEquals(SHARE / 2, buffers.sizeFor(SHARE / 2));
        assertEquals(SHARE + 1, buffers.sizeFor(SHARE + 1), "a tensor larger than a share is on its own");
    }

    @Test
    void spares_make_room_for_what_they_do_not_fit() {
        buffers.allocate(SHARE, 64).release();
        SharedBuffer large = buffers.allocate(2 * SHARE, 64);
        assertEquals(2 * SHARE, allocated);
        large.release();
    }

    @Test
    void who_keeps_a_buffer_frees_it_after_the_end() {
        SharedBuffer detached = buffers.allocate(SHARE, 64);
        buffers.close();
        assertEquals(SHARE, allocated);
        detached.release();
        assertEquals(0, allocated);
    }

    @Test
    void a_device_without_room_says_so_and_may_be_asked_again() {
        SharedBuffer first = buffers.allocate(SHARE, 64);
        full = true;
        for (int i = 0; i < BATCHES; i++) {
            assertThrows(OutOfDeviceMemoryException.class, () -> buffers.allocate(SHARE, 64));
        }
        full = false;
        first.release();
        for (int i = 0; i < 2 * BATCHES; i++) {
            buffers.allocate(SHARE, 64).release();
        }
        assertEquals(SHARE, allocated);
    }

    @Test
    void never_more_is_held_than_all_shares() {
        long seed = Long.getLong("fst.seed", System.nanoTime());
        SplittableRandom random = new SplittableRandom(seed);
        List<SharedBuffer> inUse = new ArrayList<>();
        for (int step = 0; step < 10_000; step++) {
            if (inUse.size() < BATCHES && random.nextBoolean()) {
                inUse.add(buffers.allocate(buffers.sizeFor(random.nextLong(1, SHARE + 1)), 64));
            } else if (!inUse.isEmpty()) {
                inUse.remove(random.nextInt(inUse.size())).release();
            }
        }
        inUse.forEach(SharedBuffer::release);
        assertTrue(peak <= SHARE * BATCHES, peak + " bytes (repeat with -Dfst.seed=" + seed + ")");
    }
}
