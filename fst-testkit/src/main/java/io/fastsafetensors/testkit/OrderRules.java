package io.fastsafetensors.testkit;

import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.spi.StagingBuffer;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/// Rules on order: within a stream, at a fence, between streams.
abstract class OrderRules extends RuleGroup {
    /// Big enough that a copy takes longer than the calls around it.
    private static final int LARGE = 8 << 20;

    OrderRules(BackendConformance suite) {
        super(suite);
    }

    /// Work of one stream is done in the order in which it was submitted, without fences between.
    ///
    /// If it fails: give every copy and kernel of the stream to the same queue of the driver.
    @Test
    @DisplayName("O-01 a stream works in order")
    void o_01_a_stream_works_in_order() {
        RandomGenerator random = random();
        byte[] first = Workbench.bytes(random, LARGE);
        byte[] second = Workbench.bytes(random, LARGE);
        StagingBuffer one = bench.staged(first);
        StagingBuffer two = bench.staged(second);
        StagingBuffer back = bench.staging(LARGE);
        DeviceBuffer buffer = bench.allocate(LARGE);
        DeviceBuffer copy = bench.allocate(LARGE);
        try (CopyStream stream = bench.backend.openCopyStream()) {
            stream.copyToDevice(one.segment(), buffer, 0);
            stream.copyToDevice(two.segment(), buffer, 0);
            stream.copy(buffer, 0, copy, 0, LARGE);
            stream.copyToDevice(one.segment(), buffer, 0);
            stream.copyToHost(copy, 0, back.segment());
            Workbench.settle(stream);
        }
        assertBytes(second, back.segment().toArray(ValueLayout.JAVA_BYTE), "what was second on its way");
        assertBytes(first, bench.download(buffer), "what was written last");
    }

    /// When `await()` returns, the work before the fence is done, and the fence says so.
    ///
    /// If it fails: record an event behind the work, on the work's own queue, and wait for that.
    @Test
    @DisplayName("O-02 after await the work before the fence is done")
    void o_02_after_await_the_work_before_the_fence_is_done() {
        byte[] bytes = Workbench.bytes(random(), LARGE);
        StagingBuffer staging = bench.staged(bytes);
        StagingBuffer back = bench.staging(LARGE);
        DeviceBuffer buffer = bench.allocate(LARGE);
        try (CopyStream stream = bench.backend.openCopyStream()) {
            stream.copyToDevice(staging.segment(), buffer, 0);
            stream.copyToHost(buffer, 0, back.segment());
            try (Fence fence = stream.fence()) {
                Workbench.await(fence);
                assertBytes(bytes, back.segment().toArray(ValueLayout.JAVA_BYTE), "bytes behind the fence");
                assertTrue(fence.isPassed(), "awaited, and not passed");
            }
        }
    }

    /// A fence passes by itself, without anybody waiting for it; a fence behind nothing passes too.
    ///
    /// If it fails: some drivers start work only at a flush; flush when the fence is made.
    @Test
    @DisplayName("O-03 a fence passes without being awaited")
    void o_03_a_fence_passes_without_being_awaited() {
        StagingBuffer staging = bench.staging(LARGE);
        DeviceBuffer buffer = bench.allocate(LARGE);
        try (CopyStream stream = bench.backend.openCopyStream();
                Fence empty = stream.fence()) {
            poll(empty);
            stream.copyToDevice(staging.segment(), buffer, 0);
            try (Fence fence = stream.fence()) {
                poll(fence);
            }
        }
    }

    /// When `synchronize()` returns, everything submitted is done.
    ///
    /// If it fails: it waits for the whole queue, not for the last fence that somebody made.
    @Test
    @DisplayName("O-04 synchronize finishes what was submitted")
    void o_04_synchronize_finishes_what_was_submitted() {
        byte[] bytes = Workbench.bytes(random(), LARGE);
        StagingBuffer staging = bench.staged(bytes);
        StagingBuffer back = bench.staging(LARGE);
        DeviceBuffer buffer = bench.allocate(LARGE);
        try (CopyStream stream = bench.backend.openCopyStream()) {
            stream.copyToDevice(staging.segment(), buffer, 0);
            stream.copyToHost(buffer, 0, back.segment());
            assertTimeoutPreemptively(Workbench.patience(), stream::synchronize, "synchronize() does not return");
            assertBytes(bytes, back.segment().toArray(ValueLayout.JAVA_BYTE), "bytes after synchronize()");
        }
    }

    /// A stream that waits for another one's fence sees that one's work.
    ///
    /// If it fails: the wait goes into the waiting stream's queue; what is submitted later stays behind it.
    @Test
    @DisplayName("O-05 a stream can wait for another stream's fence")
    void o_05_a_stream_can_wait_for_another_streams_fence() {
        byte[] bytes = Workbench.bytes(random(), LARGE);
        StagingBuffer staging = bench.staged(bytes);
        StagingBuffer back = bench.staging(LARGE);
        DeviceBuffer buffer = bench.allocate(LARGE);
        try (CopyStream writer = bench.backend.openCopyStream(); CopyStream reader = bench.backend.openCopyStream()) {
            for (int round = 0; round < 4; round++) {
                staging.segment().set(ValueLayout.JAVA_BYTE, LARGE - 1L, (byte) round);
                bytes[LARGE - 1] = (byte) round;
                writer.copyToDevice(staging.segment(), buffer, 0);
                try (Fence written = writer.fence()) {
                    reader.waitFor(written);
                    reader.copyToHost(buffer, 0, back.segment());
                    Workbench.settle(reader);
                }
                assertBytes(bytes, back.segment().toArray(ValueLayout.JAVA_BYTE), "round " + round);
            }
        }
    }

    /// Closing a stream finishes what was submitted.
    ///
    /// If it fails: wait for the queue before it is destroyed.
    @Test
    @DisplayName("O-06 closing a stream finishes its work")
    void o_06_closing_a_stream_finishes_its_work() {
        byte[] bytes = Workbench.bytes(random(), LARGE);
        StagingBuffer staging = bench.staged(bytes);
        StagingBuffer back = bench.staging(LARGE);
        DeviceBuffer buffer = bench.allocate(LARGE);
        try (CopyStream stream = bench.backend.openCopyStream()) {
            stream.copyToDevice(staging.segment(), buffer, 0);
            stream.copyToHost(buffer, 0, back.segment());
        }
        assertBytes(bytes, back.segment().toArray(ValueLayout.JAVA_BYTE), "bytes after the stream was closed");
    }

    /// Staging memory can be filled again as soon as the fence behind its copy has passed: two slots in turn carry many
    /// blocks.
    ///
    /// If it fails: the copy still reads its source after the fence; the fence was recorded too early.
    @Test
    @DisplayName("O-07 a slot can be reused when its fence has passed")
    void o_07_a_slot_can_be_reused_when_its_fence_has_passed() {
        int block = 1 << 20;
        byte[] bytes = Workbench.bytes(random(), 16 * block + 77);
        DeviceBuffer buffer = bench.allocate(bytes.length);
        StagingBuffer[] slots = {bench.staging(block), bench.staging(block)};
        Fence[] fences = new Fence[2];
        try (CopyStream stream = bench.backend.openCopyStream()) {
            for (int at = 0, turn = 0; at < bytes.length; at += block, turn ^= 1) {
                if (fences[turn] != null) {
                    Workbench.await(fences[turn]);
                }
                int size = Math.min(block, bytes.length - at);
                MemorySegment slot = slots[turn].segment().asSlice(0, size);
                MemorySegment.copy(MemorySegment.ofArray(bytes), at, slot, 0, size);
                stream.copyToDevice(slot, buffer, at);
                fences[turn] = bench.track(stream.fence());
            }
            Workbench.settle(stream);
        }
        assertBytes(bytes, bench.download(buffer), "blocks through two slots");
    }

    /// A fence of another backend is waited for: what is submitted after comes after it.
    ///
    /// If it fails: a driver cannot wait for it; call its `await()` before anything more is submitted.
    @Test
    @DisplayName("O-08 a stream can wait for another backend's fence")
    void o_08_a_stream_can_wait_for_another_backends_fence() {
        AtomicBoolean awaited = new AtomicBoolean();
        Fence stranger = new Fence() {
            @Override
            public boolean isPassed() {
                return awaited.get();
            }

            @Override
            public void await() {
                awaited.set(true);
            }

            @Override
            public void close() {
                // Holds nothing.
            }
        };
        byte[] bytes = Workbench.bytes(random(), 1000);
        StagingBuffer staging = bench.staged(bytes);
        DeviceBuffer buffer = bench.allocate(bytes.length);
        try (CopyStream stream = bench.backend.openCopyStream()) {
            stream.waitFor(stranger);
            assertTrue(awaited.get(), "nobody waited for the other backend's fence");
            stream.copyToDevice(staging.segment(), buffer, 0);
            Workbench.settle(stream);
        }
        assertBytes(bytes, bench.download(buffer), "bytes behind the other backend's fence");
    }

    private static void poll(Fence fence) {
        long end = System.nanoTime() + Workbench.patience().toNanos();
        while (!fence.isPassed()) {
            assertTrue(System.nanoTime() < end, "the fence does not pass by itself");
            Thread.onSpinWait();
        }
    }
}
