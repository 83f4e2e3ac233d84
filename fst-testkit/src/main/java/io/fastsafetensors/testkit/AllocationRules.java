package io.fastsafetensors.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.error.OutOfDeviceMemoryException;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.Capability;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.DeviceKind;
import io.fastsafetensors.spi.MemoryInfo;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.testkit.reference.ScalarReference;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.DeviceHandle;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/// Device memory: sizes, disjointness, and what happens when there is none left.
abstract class AllocationRules extends RuleGroup {
    private static final long IMPOSSIBLE = 1L << 60;
    private static final long ENOUGH = 2L << 30;
    /// Sizes that no device has, which leave something possible when they are cut, or wrap around when they are rounded.
    private static final long[] IMPOSSIBLE_SIZES = {IMPOSSIBLE, IMPOSSIBLE + 4097, (1L << 52) + 1, (1L << 62) - 1,
        Long.MAX_VALUE - 4095, Long.MAX_VALUE};

    AllocationRules(BackendConformance suite) {
        super(suite);
    }

    /// Zero bytes can be allocated: a distinct buffer of size 0 that can be closed.
    ///
    /// If it fails: drivers refuse size 0; allocate one byte, and report 0.
    @Test
    @DisplayName("A-01 zero bytes can be allocated")
    void a_01_zero_bytes_can_be_allocated() {
        try (DeviceBuffer first = bench.backend.allocate(0, 1); DeviceBuffer second = bench.backend.allocate(0, 256)) {
            assertEquals(0, first.byteSize());
            assertEquals(0, second.byteSize());
            assertNotSame(first, second, "the same object twice");
        }
    }

    /// A buffer has the size that was asked for, not a rounded one.
    ///
    /// If it fails: keep the size asked for beside the size that the driver was given.
    @Test
    @DisplayName("A-02 a buffer has the size that was asked for")
    void a_02_a_buffer_has_the_size_that_was_asked_for() {
        for (long bytes : new long[] {1, 7, 255, 4095, 4097, (1 << 20) + 1}) {
            try (DeviceBuffer buffer = bench.backend.allocate(bytes, 64)) {
                assertEquals(bytes, buffer.byteSize());
            }
        }
    }

    /// Buffers that live at the same time share no byte.
    ///
    /// If it fails: look at the rounding in a pool or sub-allocator, above all for sizes that are no multiple of the
    /// alignment.
    @Test
    @DisplayName("A-03 live buffers do not overlap")
    void a_03_live_buffers_do_not_overlap() {
        RandomGenerator random = random();
        List<DeviceBuffer> buffers = new ArrayList<>();
        List<byte[]> contents = new ArrayList<>();
        for (int i = 0; i < 24; i++) {
            contents.add(Workbench.bytes(random, 1 + random.nextInt(i % 3 == 0 ? 20_000 : 600)));
            buffers.add(bench.track(bench.backend.allocate(contents.get(i).length, 1L << random.nextInt(10))));
        }
        for (int i = 0; i < buffers.size(); i++) {
            bench.upload(contents.get(i), buffers.get(i), 0);
        }
        for (int i = 0; i < buffers.size(); i++) {
            assertBytes(contents.get(i), bench.download(buffers.get(i)), "buffer " + i + " of " + buffers.size());
        }
    }

    /// A request that no device can meet throws [OutOfDeviceMemoryException] with the bytes asked for and the bytes
    /// free, and names the backend.
    ///
    /// If it fails: translate the driver's out-of-memory status (and, on the host, [OutOfMemoryError]) in one place;
    /// check that the size is not cut to 32 bits on its way.
    @Test
    @DisplayName("A-04 out of memory names what was asked for and what is free")
    void a_04_out_of_memory_names_what_was_asked_for_and_what_is_free() {
        for (long bytes : IMPOSSIBLE_SIZES) {
            OutOfDeviceMemoryException refused = assertThrows(OutOfDeviceMemoryException.class,
                    () -> allocate(bytes), () -> bytes + " bytes");
            assertEquals(bytes, refused.requested());
            assertTrue(refused.free() >= -1 && refused.free() < bytes, () -> "free: " + refused.free());
            assertEquals(bench.provider.name(), refused.where().backend(), "the backend that the exception names");
            long free = bench.backend.memory().free();
            assertTrue(free < 0 || refused.free() < 0 || about(free, refused.free()),
                    () -> "the exception says that " + refused.free() + " bytes are free, memory() says " + free);
        }
        OutOfDeviceMemoryException refused = assertThrows(OutOfDeviceMemoryException.class,
                this::allocateStaging, "staging memory");
        assertEquals(IMPOSSIBLE, refused.requested(), "staging memory");
    }

    private void allocate(long bytes) {
        try {
            bench.backend.allocate(bytes, 256).close();
        } catch (OutOfMemoryError e) {
            // It would end the whole run.
            throw new IllegalStateException("the host's OutOfMemoryError came through", e);
        }
    }

    private void allocateStaging() {
        try {
            bench.backend.allocateStaging(IMPOSSIBLE).close();
        } catch (OutOfMemoryError e) {
            throw new IllegalStateException("the host's OutOfMemoryError came through", e);
        }
    }

    /// Whether two answers mean the same, others allocating and freeing meanwhile.
    private static boolean about(long one, long other) {
        long slack = 1L << 30;
        return one - slack <= 4 * other && other - slack <= 4 * one;
    }

    /// After a refused request the backend works on.
    ///
    /// If it fails: some drivers keep the last error and report it at the next call; fetch and clear it.
    @Test
    @DisplayName("A-05 a refused request leaves the backend usable")
    void a_05_a_refused_request_leaves_the_backend_usable() {
        long before = bench.backend.memory().free();
        int rounds = 100;
        for (int round = 0; round < rounds; round++) {
            try {
                bench.backend.allocate(IMPOSSIBLE, 256).close();
            } catch (OutOfDeviceMemoryException _) {
                // What is asked here is only what comes after; A-04 looks at the refusal.
            }
        }
        // Others use the device too, and take a part of it at most.
        long after = bench.backend.memory().free();
        assertTrue(before < 0 || bench.device.isCpu() || before - after < rounds << 19,
                () -> "free memory fell from " + before + " to " + after + " by " + rounds + " refused requests");
        byte[] bytes = Workbench.bytes(random(), 1000);
        assertBytes(bytes, bench.download(bench.upload(bytes)), "bytes written after a refused request");
    }

    /// Closing a buffer gives its memory back: free memory does not shrink over many rounds. Not applicable where the
    /// device does not say how much is free.
    ///
    /// If it fails: look for a close that only marks the buffer, or a cache without a bound.
    @Test
    @DisplayName("A-06 closing a buffer gives its memory back")
    void a_06_closing_a_buffer_gives_its_memory_back() throws InterruptedException {
        MemoryInfo before = bench.backend.memory();
        if (before.free() < 0) {
            Assumptions.abort("the device does not say how much memory is free");
        }
        long chunk = 8 << 20;
        int rounds = 64;
        for (int attempt = 1;; attempt++) {
            before = bench.backend.memory();
            for (int i = 0; i < rounds; i++) {
                bench.backend.allocate(chunk, 256).close();
            }
            // Others use the device too: a loss counts when it is seen each time.
            long lost = before.free() - bench.backend.memory().free();
            if (lost < chunk * rounds / 2) {
                return;
            }
            assertTrue(attempt < MemoryMeter.ATTEMPTS,
                    () -> lost + " bytes gone after allocating and closing " + chunk * rounds);
            MemoryMeter.pause();
        }
    }

    /// Sizes and offsets go beyond 32 bits, in allocations, in copies of each direction, and in slices. With less than
    /// 6 GiB free, or a limit of the driver, it is tried beyond 31 bits; not applicable where that is refused too.
    ///
    /// If it fails: look for an `int` on the way, or a [java.nio.ByteBuffer].
    @Test
    @DisplayName("A-07 sizes and offsets beyond 32 bits work")
    void a_07_sizes_and_offsets_beyond_32_bits_work() {
        DeviceBuffer large = bench.large();
        long size = large.byteSize();
        byte[] bytes = Workbench.bytes(random(), 5000);
        // Each of these is the place of another one when its upper bits are lost.
        long[] places = {0, 5000, 1 << 20, (1L << 31) - 5000, 1L << 31, size - 5000};
        for (int i = 0; i < places.length; i++) {
            bytes[0] = (byte) i;
            bench.upload(bytes, large, places[i]);
        }
        for (int i = 0; i < places.length; i++) {
            bytes[0] = (byte) i;
            assertBytes(bytes, bench.download(large, places[i], bytes.length), "bytes at " + places[i]);
        }
        byte[] part = bench.download(new BufferSlice(large, size - 5000, 100).part(50, 50));
        assertBytes(Arrays.copyOfRange(bytes, 50, 100), part, "a slice at the end");
        copyFar(large, bytes);
        if (bench.backend.info().kind() == DeviceKind.ACCELERATOR && bench.backend.memory().free() > size + ENOUGH) {
            copyAll(large, bytes);
        }
    }

    /// One copy of everything, where a device is fast enough for that.
    private void copyAll(DeviceBuffer large, byte[] bytes) {
        long size = large.byteSize();
        bench.upload(bytes, large, size - bytes.length);
        try (DeviceBuffer other = bench.backend.allocate(size, 256);
                CopyStream stream = bench.backend.openCopyStream()) {
            stream.copy(large, 0, other, 0, size);
            Workbench.settle(stream);
            assertBytes(bytes, bench.download(other, size - bytes.length, bytes.length),
                    "the end of one copy of " + size + " bytes");
        }
    }

    /// To the end and from there, within the device.
    private void copyFar(DeviceBuffer large, byte[] bytes) {
        long end = large.byteSize() - 5000;
        DeviceBuffer small = bench.upload(Workbench.filler(bytes.length));
        try (CopyStream stream = bench.backend.openCopyStream()) {
            stream.copy(large, end, small, 0, bytes.length);
            stream.copy(small, 0, large, end - 10_000, bytes.length);
            Workbench.settle(stream);
        }
        assertBytes(bytes, bench.download(small), "a copy from the end");
        assertBytes(bytes, bench.download(large, end - 10_000, bytes.length), "a copy to the end");
        if (bench.claims(Capability.KERNELS)) {
            byte[] fresh = Workbench.bytes(random(), 4000);
            bench.upload(fresh, large, end);
            byte[] expected = new byte[2000];
            ScalarReference.convert(MemorySegment.ofArray(fresh), DType.F32, MemorySegment.ofArray(expected),
                    DType.BF16, 1000);
            try (CopyStream stream = bench.backend.openCopyStream()) {
                bench.backend.kernels().convert(stream, new BufferSlice(large, end, 4000), DType.F32,
                        new BufferSlice(large, end - 4096, 2000), DType.BF16, 1000);
                Workbench.settle(stream);
            }
            assertBytes(expected, bench.download(large, end - 4096, 2000), "a conversion at the end");
        }
    }

    /// The host sees what copies wrote, and copies see what the host wrote (capability HOST_ADDRESSABLE).
    ///
    /// If it fails: the segment must be the memory itself, with the buffer's size, not a copy of it.
    @Test
    @DisplayName("A-08 a segment is the buffer's own memory")
    void a_08_a_segment_is_the_buffers_own_memory() {
        bench.need(Capability.HOST_ADDRESSABLE);
        RandomGenerator random = random();
        byte[] bytes = Workbench.bytes(random, 10_007);
        DeviceBuffer buffer = bench.upload(bytes);
        MemorySegment segment = buffer.segment().orElseThrow();
        assertEquals(buffer.byteSize(), segment.byteSize(), "the segment's size");
        assertBytes(bytes, segment.toArray(ValueLayout.JAVA_BYTE), "what a copy wrote");
        byte[] others = Workbench.bytes(random, 10_006);
        MemorySegment.copy(MemorySegment.ofArray(others), 0, segment, 0, others.length);
        assertBytes(others, bench.download(buffer, 0, others.length), "what the host wrote");
    }

    /// Staging memory has the size that was asked for, 0 included, and every thread can write to it.
    ///
    /// If it fails: allocate from a shared arena, or give each thread access to the driver's page-locked memory.
    @Test
    @DisplayName("A-09 staging memory has its size and serves every thread")
    void a_09_staging_memory_has_its_size_and_serves_every_thread() throws InterruptedException {
        for (long bytes : new long[] {0, 1, 4096, 4097, (4 << 20) + 1, (1 << 24) + 1}) {
            try (StagingBuffer staging = bench.backend.allocateStaging(bytes)) {
                assertEquals(bytes, staging.segment().byteSize(), "the staging buffer's size");
                Thread.ofPlatform().start(() -> staging.segment().fill((byte) 7)).join();
                for (long at = 0; at < bytes; at += 1021) {
                    assertEquals(7, staging.segment().get(ValueLayout.JAVA_BYTE, at));
                }
            } catch (OutOfDeviceMemoryException e) {
                // The host lets programs lock little memory; the least that a block takes is there.
                assertTrue(bytes > 1 << 20, e::getMessage);
            }
        }
    }

    /// What `memory()` says is free falls by what is allocated and written, and rises when it is closed. Not applicable
    /// where the device does not say how much is free, and on `cpu`, whose memory is every process's.
    ///
    /// If it fails: free is not used, and bytes are not KiB; ask the driver in each call.
    @Test
    @DisplayName("A-10 free memory falls by what is allocated")
    void a_10_free_memory_falls_by_what_is_allocated() throws InterruptedException {
        if (bench.backend.memory().free() < 0) {
            throw new NotApplicable("the device does not say how much memory is free");
        }
        if (bench.device.isCpu()) {
            throw new NotApplicable("free memory of the host changes with every process");
        }
        long bytes = MemoryMeter.chunk(bench.backend);
        for (int attempt = 1;; attempt++) {
            long before = bench.backend.memory().free();
            long taken;
            try (DeviceBuffer buffer = bench.backend.allocate(bytes, 256)) {
                MemoryMeter.touch(bench.backend, buffer);
                taken = before - bench.backend.memory().free();
            }
            if (taken > bytes / 2 && taken < 2 * bytes) {
                return;
            }
            // Others use the device too: what is right is seen once at least.
            assertTrue(attempt < MemoryMeter.ATTEMPTS, () -> bytes + " bytes allocated, free memory fell by " + taken);
            MemoryMeter.pause();
        }
    }

    /// Buffers that live at the same time have different handles, and a buffer's handle does not change.
    ///
    /// If it fails: a handle names the buffer to native code; make it of the driver's own pointer or object.
    @Test
    @DisplayName("A-11 live buffers have handles of their own")
    void a_11_live_buffers_have_handles_of_their_own() {
        Map<DeviceHandle, Integer> handles = new HashMap<>();
        for (int i = 0; i < 300; i++) {
            DeviceBuffer buffer = bench.track(bench.backend.allocate(1 + i % 3 * 700, 64));
            Integer other = handles.put(buffer.handle(), i);
            int number = i;
            assertNull(other, () -> "buffers " + other + " and " + number + " have one handle");
            assertEquals(buffer.handle(), buffer.handle(), "the handle when asked again");
        }
    }

    /// What is kept for later is counted and is not negative, `trim()` gives it back, and leaves what is in use.
    ///
    /// If it fails: count what was closed and not freed, and nothing else; `trim()` frees that, and may be called any time.
    @Test
    @DisplayName("A-12 trimming gives back what is kept")
    void a_12_trimming_gives_back_what_is_kept() {
        byte[] bytes = Workbench.bytes(random(), 100_000);
        DeviceBuffer used = bench.upload(bytes);
        for (int i = 0; i < 20; i++) {
            bench.backend.allocate(1 << 20, 256).close();
        }
        long kept = bench.backend.keptBytes();
        long free = bench.backend.memory().free();
        assertTrue(kept >= 0, () -> "kept: " + kept);
        assertTrue(free < 0 || kept <= free, () -> kept + " bytes are kept, and " + free + " are free");
        bench.backend.trim();
        bench.backend.trim();
        // Other backends of the device may share what is kept, and close buffers meanwhile.
        long left = bench.backend.keptBytes();
        assertTrue(left >= 0 && left <= kept / 2, () -> left + " of " + kept + " bytes are kept after trim()");
        assertBytes(bytes, bench.download(used), "memory in use after trim()");
    }
}
