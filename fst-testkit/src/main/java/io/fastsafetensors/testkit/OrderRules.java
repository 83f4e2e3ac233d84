package io.fastsafetensors.testkit;

import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.spi.Capability;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.spi.StagingBuffer;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
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

    /// A stream that waits for another one's fence sees that one's work, however much is queued before it.
    ///
    /// If it fails: the wait goes into the waiting stream's queue; what is submitted later stays behind it.
    @Test
    @DisplayName("O-05 a stream can wait for another stream's fence")
    void o_05_a_stream_can_wait_for_another_streams_fence() {
        int ahead = 12;
        int rounds = bench.effort == Effort.FULL ? 12 : 4;
        byte[] bytes = Workbench.bytes(random(), 1 << 20);
        StagingBuffer load = bench.staging(LARGE);
        StagingBuffer staging = bench.staged(bytes);
        StagingBuffer back = bench.staging(bytes.length);
        DeviceBuffer far = bench.allocate(LARGE);
        DeviceBuffer buffer = bench.allocate(bytes.length);
        try (CopyStream writer = bench.backend.openCopyStream(); CopyStream reader = bench.backend.openCopyStream()) {
            for (int round = 0; round < rounds; round++) {
                staging.segment().set(ValueLayout.JAVA_BYTE, bytes.length - 1L, (byte) round);
                bytes[bytes.length - 1] = (byte) round;
                for (int i = 0; i < ahead; i++) {
                    writer.copyToDevice(load.segment(), far, 0);
                }
                writer.copyToDevice(staging.segment(), buffer, 0);
                try (Fence written = writer.fence()) {
                    reader.waitFor(written);
                    reader.copyToHost(buffer, 0, back.segment());
                    Workbench.settle(reader);
                    assertBytes(bytes, back.segment().toArray(ValueLayout.JAVA_BYTE), "round " + round);
                    Workbench.await(written);
                }
            }
        }
        stateOdds("a wait that is ignored, seen", 2, rounds);
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

    /// Thousands of small operations that depend on one another, without fences between, are done in order.
    ///
    /// If it fails: some of them take another queue, or none; small ones are often done on the calling thread.
    @Test
    @DisplayName("O-09 thousands of small operations keep their order")
    void o_09_thousands_of_small_operations_keep_their_order() {
        int rounds = bench.effort == Effort.FULL ? 4000 : 1000;
        int cell = 8;
        byte[] bytes = Workbench.bytes(random(), rounds * cell);
        byte[] others = Workbench.bytes(random(), rounds * cell + 1);
        StagingBuffer source = bench.staged(bytes);
        StagingBuffer noise = bench.staged(others);
        StagingBuffer back = bench.staging(bytes.length);
        DeviceBuffer one = bench.allocate(cell);
        DeviceBuffer all = bench.allocate(bytes.length);
        try (CopyStream stream = bench.backend.openCopyStream()) {
            for (int i = 0; i < rounds; i++) {
                int at = i * cell;
                stream.copyToDevice(noise.segment().asSlice(at + 1, cell), one, 0);
                stream.copyToDevice(source.segment().asSlice(at, cell), one, 0);
                // Now one of the two is the last before the next round, now the other.
                if (i % 3 != 0) {
                    stream.copy(one, 0, all, at, cell);
                }
                stream.copyToHost(one, 0, back.segment().asSlice(at, cell));
                if (i % 3 == 0) {
                    stream.copy(one, 0, all, at, cell);
                }
            }
            Workbench.settle(stream);
        }
        assertBytes(bytes, bench.download(all), "small copies in order");
        assertBytes(bytes, back.segment().toArray(ValueLayout.JAVA_BYTE), "small copies to the host in order");
        stateOdds("an operation out of order", 50, 4L * rounds);
    }

    /// Hundreds of operations and fences may be under way; each fence passes when the work before it is done, whichever
    /// is asked first.
    ///
    /// If it fails: look for a ring of events or a queue of fixed length.
    @Test
    @DisplayName("O-10 hundreds of operations may be pending")
    void o_10_hundreds_of_operations_may_be_pending() {
        int count = 500;
        int part = 2048;
        byte[] bytes = Workbench.bytes(random(), count * part);
        StagingBuffer source = bench.staged(bytes);
        StagingBuffer back = bench.staging(bytes.length);
        DeviceBuffer buffer = bench.allocate(bytes.length);
        List<Fence> fences = new ArrayList<>();
        try (CopyStream stream = bench.backend.openCopyStream()) {
            for (int i = 0; i < count; i++) {
                stream.copyToDevice(source.segment().asSlice((long) i * part, part), buffer, (long) i * part);
                stream.copyToHost(buffer, (long) i * part, back.segment().asSlice((long) i * part, part));
                fences.add(bench.track(stream.fence()));
            }
            Workbench.await(fences.get(count / 2));
            assertTrue(back.segment().asSlice(0, (count / 2 + 1L) * part)
                    .mismatch(source.segment().asSlice(0, (count / 2 + 1L) * part)) < 0, "bytes behind a fence");
            for (int i = count - 1; i >= 0; i--) {
                Workbench.settled(fences.get(i));
            }
        }
        assertBytes(bytes, back.segment().toArray(ValueLayout.JAVA_BYTE), count + " pending copies");
    }

    /// When a later fence of a stream has passed, every earlier one has.
    ///
    /// If it fails: fences of one stream are points on one line.
    @Test
    @DisplayName("O-11 fences of a stream pass in order")
    void o_11_fences_of_a_stream_pass_in_order() {
        StagingBuffer staging = bench.staging(1 << 20);
        DeviceBuffer buffer = bench.allocate(1 << 20);
        try (CopyStream stream = bench.backend.openCopyStream()) {
            for (int round = 0; round < 8; round++) {
                List<Fence> fences = new ArrayList<>();
                for (int i = 0; i < 16; i++) {
                    stream.copyToDevice(staging.segment().asSlice(0, (i + 1) << 12), buffer, 0);
                    fences.add(bench.track(stream.fence()));
                }
                Workbench.settled(fences.getLast());
                for (int i = 0; i < fences.size(); i++) {
                    int which = i;
                    assertTrue(fences.get(i).isPassed(),
                            () -> "the last fence has passed, and fence " + which + " not");
                }
            }
        }
    }

    /// An interrupted thread submits and waits as any other, and is interrupted still: the device goes on using the memory.
    ///
    /// If it fails: wait again after an interrupt, and set it when the wait has ended.
    @Test
    @DisplayName("O-12 an interrupt loses no work and ends no wait")
    void o_12_an_interrupt_loses_no_work_and_ends_no_wait() {
        byte[] bytes = Workbench.bytes(random(), LARGE);
        StagingBuffer staging = bench.staged(bytes);
        StagingBuffer back = bench.staging(LARGE);
        DeviceBuffer buffer = bench.allocate(LARGE);
        for (boolean synchronize : new boolean[] {false, true}) {
            back.segment().fill((byte) 0);
            try (CopyStream stream = bench.backend.openCopyStream()) {
                Thread.currentThread().interrupt();
                try {
                    stream.copyToDevice(staging.segment(), buffer, 0);
                    stream.copyToHost(buffer, 0, back.segment());
                    if (synchronize) {
                        stream.synchronize();
                    } else {
                        try (Fence fence = stream.fence()) {
                            fence.await();
                        }
                    }
                    assertBytes(bytes, back.segment().toArray(ValueLayout.JAVA_BYTE), "bytes after an interrupt");
                } finally {
                    assertTrue(Thread.interrupted(), "the thread is not interrupted any more");
                }
            }
        }
    }

    /// `isPassed()` answers at once: right after much work was submitted it says no, once in some tries at least (capability
    /// ASYNCHRONOUS_COPIES).
    ///
    /// If it fails: ask the driver for the event's state, and do not wait for the event; or do not claim the capability.
    @Test
    @DisplayName("O-13 asking a fence does not wait for it")
    void o_13_asking_a_fence_does_not_wait_for_it() {
        bench.need(Capability.ASYNCHRONOUS_COPIES);
        StagingBuffer staging = bench.staging(LARGE);
        DeviceBuffer buffer = bench.allocate(LARGE);
        try (CopyStream stream = bench.backend.openCopyStream()) {
            boolean pending = false;
            for (int attempt = 0; attempt < 30 && !pending; attempt++) {
                for (int i = 0; i < 1 + attempt; i++) {
                    stream.copyToDevice(staging.segment(), buffer, 0);
                }
                try (Fence fence = stream.fence()) {
                    pending = !fence.isPassed();
                    Workbench.settled(fence);
                }
            }
            assertTrue(pending, "each fence had passed when it was asked for the first time");
        }
    }

    /// A fence behind the default stream of the device's own API passes, since nothing is submitted to it; a backend that knows
    /// no such streams says so.
    ///
    /// If it fails: 0 is the default stream; an event that is recorded there passes by itself.
    @Test
    @DisplayName("O-14 a fence behind a program's own stream passes")
    void o_14_a_fence_behind_a_programs_own_stream_passes() {
        Fence fence;
        try {
            fence = bench.backend.fenceBehind(0);
        } catch (UnsupportedFeatureException e) {
            throw new NotApplicable(String.valueOf(e.getMessage()));
        }
        try (fence) {
            poll(fence);
            Workbench.await(fence);
        }
        fence.close();
    }

    private static void poll(Fence fence) {
        long end = System.nanoTime() + Workbench.patience().toNanos();
        while (!fence.isPassed()) {
            assertTrue(System.nanoTime() < end, "the fence does not pass by itself");
            Thread.onSpinWait();
        }
    }
}
