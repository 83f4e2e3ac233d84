package io.fastsafetensors.testkit;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.Capability;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.spi.Kernels;
import io.fastsafetensors.spi.ScaleGrid;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.spi.Strided;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/// Wrong arguments are refused before anything happens, and everything works afterwards.
abstract class ErrorRules extends RuleGroup {
    private static final int SIZE = 1000;

    ErrorRules(BackendConformance suite) {
        super(suite);
    }

    /// Negative sizes are refused with [IllegalArgumentException] (or a `BackendException`), for device and staging memory.
    ///
    /// If it fails: a negative size that is cast to an unsigned one asks for most of the address space.
    @Test
    @DisplayName("E-01 negative sizes are refused")
    void e_01_negative_sizes_are_refused() {
        assertAll(() -> refuses("allocate(-1)", () -> bench.backend.allocate(-1, 64).close()),
                () -> refuses("allocate(-2^63)", () -> bench.backend.allocate(Long.MIN_VALUE, 64).close()),
                () -> refuses("allocateStaging(-1)", () -> bench.backend.allocateStaging(-1).close()),
                () -> refuses("allocateStaging(-2^63)", () -> bench.backend.allocateStaging(Long.MIN_VALUE).close()));
    }

    /// An alignment that is no power of two is refused with [IllegalArgumentException] (or a `BackendException`).
    ///
    /// If it fails: `Long.bitCount(alignment) != 1`.
    @Test
    @DisplayName("E-02 alignments that are no power of two are refused")
    void e_02_alignments_that_are_no_power_of_two_are_refused() {
        for (long alignment : new long[] {0, 3, 48, -64}) {
            refuses("alignment " + alignment, () -> bench.backend.allocate(64, alignment).close());
        }
    }

    private static void refuses(String what, Executable call) {
        RuntimeException refused = assertThrows(RuntimeException.class, call, what);
        assertTrue(refused instanceof IllegalArgumentException || refused instanceof BackendException,
                () -> what + " is refused with " + refused);
    }

    /// A copy to the device outside its buffer is refused with [IndexOutOfBoundsException]; nothing is written.
    ///
    /// If it fails: `Objects.checkFromIndexSize` before the driver sees the address; it sees sums that overflow, too.
    @Test
    @DisplayName("E-03 copies to the device outside the buffer are refused")
    void e_03_copies_to_the_device_outside_the_buffer_are_refused() {
        MemorySegment host = bench.staged(other(101)).segment();
        refuses((stream, buffer) -> () -> stream.copyToDevice(host, buffer, SIZE - 100),
                (stream, buffer) -> () -> stream.copyToDevice(host, buffer, -1),
                (stream, buffer) -> () -> stream.copyToDevice(host, buffer, SIZE + 1),
                (stream, buffer) -> () -> stream.copyToDevice(host, buffer, (1L << 32) + 1),
                (stream, buffer) -> () -> stream.copyToDevice(host, buffer, (1L << 31) + 1),
                (stream, buffer) -> () -> stream.copyToDevice(host, buffer, (1L << 16) + 1),
                (stream, buffer) -> () -> stream.copyToDevice(host, buffer, Long.MAX_VALUE - 50));
    }

    /// A copy to the host from outside the buffer is refused with [IndexOutOfBoundsException].
    ///
    /// If it fails: as E-03; what lies behind the buffer may be another program's.
    @Test
    @DisplayName("E-04 copies to the host from outside the buffer are refused")
    void e_04_copies_to_the_host_from_outside_the_buffer_are_refused() {
        MemorySegment host = bench.staged(other(101)).segment();
        refuses((stream, buffer) -> () -> stream.copyToHost(buffer, SIZE - 100, host),
                (stream, buffer) -> () -> stream.copyToHost(buffer, -1, host),
                (stream, buffer) -> () -> stream.copyToHost(buffer, SIZE + 1, host),
                (stream, buffer) -> () -> stream.copyToHost(buffer, (1L << 32) + 1, host),
                (stream, buffer) -> () -> stream.copyToHost(buffer, Long.MAX_VALUE - 50, host));
        assertBytes(other(101), host.toArray(ValueLayout.JAVA_BYTE), "the target of refused copies");
    }

    /// A copy within the device outside either buffer, or of a negative size, is refused with
    /// [IndexOutOfBoundsException].
    ///
    /// If it fails: check both ranges.
    @Test
    @DisplayName("E-05 copies within the device outside a buffer are refused")
    void e_05_copies_within_the_device_outside_a_buffer_are_refused() {
        byte[] others = other(2 * SIZE);
        DeviceBuffer large = bench.upload(others);
        refuses((stream, buffer) -> () -> stream.copy(large, 0, buffer, 0, (1L << 32) + 10),
                (stream, buffer) -> () -> stream.copy(large, 0, buffer, (1L << 32) + 10, 10),
                (stream, buffer) -> () -> stream.copy(large, (1L << 32) + 10, buffer, 0, 10),
                (stream, buffer) -> () -> stream.copy(large, 2 * SIZE - 5, buffer, 0, 10),
                (stream, buffer) -> () -> stream.copy(large, 0, buffer, SIZE - 5, 10),
                (stream, buffer) -> () -> stream.copy(large, Long.MAX_VALUE - 5, buffer, 0, 10),
                (stream, buffer) -> () -> stream.copy(large, 0, buffer, Long.MAX_VALUE - 5, 10),
                (stream, buffer) -> () -> stream.copy(large, 0, buffer, 0, SIZE + 1),
                (stream, buffer) -> () -> stream.copy(buffer, 1, large, 0, SIZE),
                (stream, buffer) -> () -> stream.copy(large, 0, buffer, -1, 10),
                (stream, buffer) -> () -> stream.copy(large, -1, buffer, 0, 10),
                (stream, buffer) -> () -> stream.copy(large, 0, buffer, 0, -1),
                (stream, buffer) -> () -> stream.copy(large, 0, buffer, 0, Long.MIN_VALUE));
        assertBytes(others, bench.download(large), "the other buffer of refused copies");
    }

    /// A conversion whose slices do not have exactly the bytes of its elements is refused with
    /// [IllegalArgumentException] (capability KERNELS).
    ///
    /// If it fails: compare both sizes; exactly, not at least.
    @Test
    @DisplayName("E-06 conversions of wrong sizes are refused")
    void e_06_conversions_of_wrong_sizes_are_refused() {
        bench.need(Capability.KERNELS);
        Kernels kernels = bench.backend.kernels();
        DeviceBuffer source = bench.upload(other(SIZE));
        DeviceBuffer target = bench.upload(Workbench.filler(SIZE));
        try (CopyStream stream = bench.backend.openCopyStream()) {
            long[][] sizes = {{39, 20, 10}, {44, 20, 10}, {40, 22, 10}, {40, 18, 10}, {0, 0, -1}, {0, 0, 1L << 62},
                {40, 20, (1L << 32) + 10}, {40, 20, (1L << 31) + 10}, {40, 20, 65546}};
            for (long[] wrong : sizes) {
                assertThrows(IllegalArgumentException.class,
                        () -> kernels.convert(stream, new BufferSlice(source, 0, wrong[0]), DType.F32,
                                new BufferSlice(target, 0, wrong[1]), DType.F16, wrong[2]),
                        () -> wrong[0] + " bytes to " + wrong[1] + " bytes for " + wrong[2] + " elements");
            }
            DeviceBuffer large = bench.allocate(1 << 25);
            assertThrows(IllegalArgumentException.class, () -> kernels.convert(stream,
                    new BufferSlice(large, 0, 1 << 24), DType.U8, new BufferSlice(large, 1 << 24, 1 << 24), DType.U8,
                    (1 << 24) + 1), "one element more than there are bytes");
            assertThrows(IllegalArgumentException.class, () -> kernels.convert(stream, new BufferSlice(source, 0, 2),
                    DType.F4, new BufferSlice(target, 0, 3), DType.U8, 3), "half a byte");
            Workbench.settle(stream);
        }
        assertBytes(Workbench.filler(SIZE), bench.download(target), "the target of refused conversions");
    }

    /// A gather that would read outside its source is refused with [IllegalArgumentException] (capability KERNELS).
    ///
    /// If it fails: check the lowest and the highest index of the view against the slice, not the buffer.
    @Test
    @DisplayName("E-07 gathers from outside the source are refused")
    void e_07_gathers_from_outside_the_source_are_refused() {
        bench.need(Capability.KERNELS);
        DeviceBuffer source = bench.upload(other(SIZE));
        DeviceBuffer target = bench.upload(Workbench.filler(SIZE));
        try (CopyStream stream = bench.backend.openCopyStream()) {
            for (Strided view : new Strided[] {new Strided(Shape.of(10), 1, new long[] {1}),
                new Strided(Shape.of(10), -1, new long[] {1}), new Strided(Shape.of(10), 8, new long[] {-1}),
                new Strided(Shape.of(2, 5), 0, new long[] {6, 1}), new Strided(Shape.of(10), 0, new long[] {2})}) {
                assertThrows(IllegalArgumentException.class, () -> bench.backend.kernels().gather(stream,
                        new BufferSlice(source, 100, 40), DType.F32, view, new BufferSlice(target, 0, 40), DType.F32),
                        view::toString);
            }
            Workbench.settle(stream);
        }
        assertBytes(Workbench.filler(SIZE), bench.download(target), "the target of refused gathers");
    }

    /// A gather into a slice of another size than its result is refused with [IllegalArgumentException] (capability
    /// KERNELS).
    ///
    /// If it fails: the result has the view's elements, of the target's dtype.
    @Test
    @DisplayName("E-08 gathers into a target of another size are refused")
    void e_08_gathers_into_a_target_of_another_size_are_refused() {
        bench.need(Capability.KERNELS);
        DeviceBuffer source = bench.upload(other(SIZE));
        DeviceBuffer target = bench.upload(Workbench.filler(SIZE));
        Strided view = new Strided(Shape.of(2, 5), 0, new long[] {10, 1});
        try (CopyStream stream = bench.backend.openCopyStream()) {
            for (long size : new long[] {0, 19, 21, 40}) {
                assertThrows(IllegalArgumentException.class, () -> bench.backend.kernels().gather(stream,
                        BufferSlice.of(source), DType.F32, view, new BufferSlice(target, 0, size), DType.F16),
                        () -> size + " bytes for 10 elements of F16");
            }
            Workbench.settle(stream);
        }
        assertBytes(Workbench.filler(SIZE), bench.download(target), "the target of refused gathers");
    }

    /// Closed buffers are refused with [IllegalStateException] wherever they are given, and nothing crashes.
    ///
    /// If it fails: ask the buffer for its size or handle when the call arrives; both throw when it is closed.
    @Test
    @DisplayName("E-09 closed buffers are refused by copies")
    void e_09_closed_buffers_are_refused_by_copies() {
        DeviceBuffer closed = bench.backend.allocate(SIZE, 64);
        closed.close();
        DeviceBuffer open = bench.allocate(SIZE);
        MemorySegment host = bench.staged(other(10)).segment();
        try (CopyStream stream = bench.backend.openCopyStream()) {
            assertAll(
                    () -> assertThrows(IllegalStateException.class, () -> stream.copyToDevice(host, closed, 0), "to"),
                    () -> assertThrows(IllegalStateException.class, () -> stream.copyToHost(closed, 0, host), "from"),
                    () -> assertThrows(IllegalStateException.class, () -> stream.copy(closed, 0, open, 0, 9), "source"),
                    () -> assertThrows(IllegalStateException.class, () -> stream.copy(open, 0, closed, 0, 9),
                            "target"));
            Workbench.settle(stream);
        }
    }

    /// After a refused call the stream works on.
    ///
    /// If it fails: a refusal is no failure of the stream; nothing was submitted.
    @Test
    @DisplayName("E-10 a stream works on after a refused call")
    void e_10_a_stream_works_on_after_a_refused_call() {
        byte[] bytes = Workbench.bytes(random(), SIZE);
        StagingBuffer staging = bench.staged(bytes);
        DeviceBuffer buffer = bench.allocate(SIZE);
        try (CopyStream stream = bench.backend.openCopyStream()) {
            try {
                stream.copyToDevice(staging.segment(), buffer, 1);
            } catch (IndexOutOfBoundsException _) {
                // E-03 asks for this refusal; here it only comes before what is asked.
            }
            stream.copyToDevice(staging.segment(), buffer, 0);
            Workbench.settle(stream);
        }
        assertBytes(bytes, bench.download(buffer), "a copy after a refused one");
    }

    /// Host memory that is closed, or that belongs to another thread, is refused: `IllegalStateException`,
    /// `WrongThreadException`. The device's memory stays as it is.
    ///
    /// If it fails: a driver gets an address and asks no arena; ask `scope().isAlive()` and `isAccessibleBy` before.
    @Test
    @DisplayName("E-11 host memory that is closed or another thread's is refused")
    void e_11_host_memory_that_is_closed_or_another_threads_is_refused() {
        DeviceBuffer buffer = bench.upload(Workbench.filler(SIZE));
        MemorySegment closed;
        try (Arena ended = Arena.ofShared()) {
            closed = ended.allocate(SIZE);
        }
        try (CopyStream stream = bench.backend.openCopyStream()) {
            assertThrows(IllegalStateException.class, () -> stream.copyToDevice(closed, buffer, 0));
            assertThrows(IllegalStateException.class, () -> stream.copyToHost(buffer, 0, closed));
        }
        try (Arena mine = Arena.ofConfined()) {
            MemorySegment confined = mine.allocate(SIZE);
            CompletableFuture.runAsync(() -> {
                try (CopyStream stream = bench.backend.openCopyStream()) {
                    assertThrows(WrongThreadException.class, () -> stream.copyToDevice(confined, buffer, 0));
                    assertThrows(WrongThreadException.class, () -> stream.copyToHost(buffer, 0, confined));
                }
            }).join();
            assertBytes(new byte[SIZE], confined.toArray(ValueLayout.JAVA_BYTE), "memory of another thread");
        }
        assertBytes(Workbench.filler(SIZE), bench.download(buffer), "a buffer after refused copies");
    }

    /// A copy to host memory that cannot be written is refused with [IllegalArgumentException]; the memory stays as it is, and
    /// the stream works on.
    ///
    /// If it fails: a driver writes through the address; ask `isReadOnly()` before.
    @Test
    @DisplayName("E-15 read-only host memory is refused as a target")
    void e_15_read_only_host_memory_is_refused_as_a_target() {
        DeviceBuffer buffer = bench.upload(Workbench.filler(SIZE));
        MemorySegment host = bench.staged(other(SIZE)).segment();
        try (CopyStream stream = bench.backend.openCopyStream()) {
            assertThrows(IllegalArgumentException.class, () -> stream.copyToHost(buffer, 0, host.asReadOnly()));
            Workbench.settle(stream);
            assertBytes(other(SIZE), host.toArray(ValueLayout.JAVA_BYTE), "read-only memory");
            stream.copyToHost(buffer, 0, host);
            Workbench.settle(stream);
        }
        assertBytes(Workbench.filler(SIZE), host.toArray(ValueLayout.JAVA_BYTE), "a copy after a refused one");
    }

    /// A de-quantisation whose sizes do not fit, or which needs a scale that is not there, is refused with
    /// [IllegalArgumentException]. Not applicable to a backend that de-quantises nothing.
    ///
    /// If it fails: compare the bytes of source and target, and the lowest and highest scale of the grid with the scales.
    @Test
    @DisplayName("E-16 de-quantisations of wrong sizes are refused")
    void e_16_de_quantisations_of_wrong_sizes_are_refused() {
        bench.need(Capability.KERNELS);
        Kernels kernels = bench.backend.kernels();
        if (!kernels.dequantizes(DType.I8, DType.F32)) {
            throw new NotApplicable("the host de-quantises I8 to F32");
        }
        DeviceBuffer source = bench.upload(new byte[64 + 4 * Float.BYTES]);
        DeviceBuffer target = bench.upload(Workbench.filler(300));
        BufferSlice elements = new BufferSlice(source, 0, 64);
        BufferSlice scales = new BufferSlice(source, 64, 4L * Float.BYTES);
        BufferSlice result = new BufferSlice(target, 0, 256);
        ScaleGrid grid = ScaleGrid.ofRuns(64, 16);
        try (CopyStream stream = bench.backend.openCopyStream()) {
            for (Executable call : List.<Executable>of(
                    () -> kernels.dequantize(stream, elements, DType.I8, scales, grid, 0, 0,
                            new BufferSlice(target, 0, 252), DType.F32),
                    () -> kernels.dequantize(stream, elements, DType.I8, scales, grid, 0, 0,
                            new BufferSlice(target, 0, 260), DType.F32),
                    () -> kernels.dequantize(stream, elements, DType.I8, scales.part(0, 12), grid, 0, 0, result,
                            DType.F32),
                    () -> kernels.dequantize(stream, elements, DType.I8, scales, grid, 64, 0, result, DType.F32),
                    () -> kernels.dequantize(stream, elements, DType.I8, scales, grid, 0, 1, result, DType.F32),
                    () -> kernels.dequantize(stream, elements, DType.I8, scales, grid, -1, 0, result, DType.F32))) {
                assertThrows(IllegalArgumentException.class, call);
            }
            Workbench.settle(stream);
        }
        assertBytes(Workbench.filler(300), bench.download(target), "the target of refused de-quantisations");
    }

    /// Bytes that are not the filler's.
    private static byte[] other(int count) {
        byte[] bytes = new byte[count];
        Arrays.fill(bytes, (byte) 0x3C);
        return bytes;
    }

    /// A copy that the device fails to do is an exception of what waits for it: `await()` and `isPassed()` of a later
    /// fence and `synchronize()` throw [BackendException], if the call itself did not. Needs the suite's
    /// [BackendConformance#failures()].
    ///
    /// If it fails: look at the status of each call, and ask for the device's own errors when a fence has passed.
    @Test
    @DisplayName("E-12 failed copies are exceptions of what waits for them")
    void e_12_failed_copies_are_exceptions_of_what_waits_for_them() throws Exception {
        DeviceBuffer buffer = bench.allocate(SIZE);
        MemorySegment host = bench.staging(SIZE).segment();
        failing(FailureHook.Failure.COPY, stream -> stream.copyToDevice(host, buffer, 0));
        failing(FailureHook.Failure.COPY, stream -> stream.copyToHost(buffer, 0, host));
    }

    /// A kernel that fails is an exception as E-12 says (capability KERNELS). Needs the suite's
    /// [BackendConformance#failures()].
    ///
    /// If it fails: as E-12; launches have a status of their own.
    @Test
    @DisplayName("E-13 failed kernels are exceptions of what waits for them")
    void e_13_failed_kernels_are_exceptions_of_what_waits_for_them() throws Exception {
        bench.need(Capability.KERNELS);
        DeviceBuffer source = bench.upload(other(40));
        DeviceBuffer target = bench.allocate(20);
        failing(FailureHook.Failure.KERNEL, stream -> bench.backend.kernels().convert(stream, BufferSlice.of(source),
                DType.F32, BufferSlice.of(target), DType.F16, 10));
    }

    /// After work has failed, everything closes, nothing hangs, and a backend that is opened then works. Needs the suite's
    /// [BackendConformance#failures()].
    ///
    /// If it fails: closing waits for nobody who does not come, and releases what it can.
    @Test
    @DisplayName("E-14 everything closes after a failure")
    void e_14_everything_closes_after_a_failure() throws Exception {
        FailureHook hook = hook();
        Backend backend = bench.provider.open(bench.device, BackendOptions.defaults());
        DeviceBuffer buffer = backend.allocate(SIZE, 64);
        StagingBuffer staging = backend.allocateStaging(SIZE);
        CopyStream stream = backend.openCopyStream();
        try (AutoCloseable _ = hook.provoke(FailureHook.Failure.COPY).orElseGet(ErrorRules::cannot)) {
            assertTrue(fails(stream, s -> s.copyToDevice(staging.segment(), buffer, 0), CopyStream::synchronize),
                    "nothing failed");
        }
        assertTimeoutPreemptively(Workbench.patience(), () -> {
            for (AutoCloseable each : List.of(stream, staging, buffer, backend)) {
                closeAfterFailure(each);
            }
        }, "closing after a failure does not return");
        try (Backend again = bench.provider.open(bench.device, BackendOptions.defaults());
                DeviceBuffer fresh = again.allocate(SIZE, 64);
                StagingBuffer out = again.allocateStaging(SIZE);
                CopyStream open = again.openCopyStream()) {
            open.copyToDevice(out.segment(), fresh, 0);
            Workbench.settle(open);
        }
    }

    private static void closeAfterFailure(AutoCloseable object) throws Exception {
        try {
            object.close();
        } catch (BackendException _) {
            // What failed may be said once more; the object is closed.
        }
        object.close();
    }

    private FailureHook hook() {
        return suite.failures().orElseGet(() -> Assumptions.abort("failures() of the suite provokes none"));
    }

    private static AutoCloseable cannot() {
        return Assumptions.abort("the suite's failures() provokes no such failure");
    }

    private interface Work {
        void on(CopyStream stream) throws Exception;
    }

    /// Each way of waiting tells that the work failed.
    private void failing(FailureHook.Failure failure, Work work) throws Exception {
        FailureHook hook = hook();
        Map<String, Work> waits = Map.of("await()", stream -> {
            try (Fence fence = stream.fence()) {
                assertTrue(isTold(() -> Workbench.await(fence)) == isTold(() -> Workbench.await(fence)),
                        "a fence tells of failed work once, and not again");
                Workbench.await(fence);
            }
        }, "isPassed()", stream -> {
            try (Fence fence = stream.fence()) {
                long end = System.nanoTime() + Workbench.patience().toNanos();
                while (!fence.isPassed() && System.nanoTime() < end) {
                    Thread.onSpinWait();
                }
            }
        }, "synchronize()", CopyStream::synchronize);
        for (Map.Entry<String, Work> wait : waits.entrySet()) {
            Backend backend = bench.backend;
            CopyStream stream = backend.openCopyStream();
            try (AutoCloseable _ = hook.provoke(failure).orElseGet(ErrorRules::cannot)) {
                assertTrue(fails(stream, work, wait.getValue()),
                        () -> "a failed " + failure + " is no exception of " + wait.getKey());
            } finally {
                closeAfterFailure(stream);
            }
        }
    }

    private static boolean isTold(Runnable wait) {
        try {
            wait.run();
            return false;
        } catch (BackendException _) {
            return true;
        }
    }

    /// Whether the work or the wait throws what a device's failure is.
    private static boolean fails(CopyStream stream, Work work, Work wait) throws Exception {
        try {
            work.on(stream);
            wait.on(stream);
            return false;
        } catch (BackendException _) {
            return true;
        }
    }

    private interface Call {
        Executable on(CopyStream stream, DeviceBuffer buffer);
    }

    /// Each call is refused, and the buffer keeps its bytes.
    private void refuses(Call... calls) {
        DeviceBuffer buffer = bench.upload(Workbench.filler(SIZE));
        try (CopyStream stream = bench.backend.openCopyStream()) {
            for (int i = 0; i < calls.length; i++) {
                assertThrows(IndexOutOfBoundsException.class, calls[i].on(stream, buffer), "call " + i);
            }
        }
        assertBytes(Workbench.filler(SIZE), bench.download(buffer), "a buffer after refused copies");
    }
}
