package io.fastsafetensors.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.Capability;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.testkit.fixture.Seed;
import io.fastsafetensors.testkit.reference.ScalarReference;
import io.fastsafetensors.types.DType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/// Many threads on one backend at once.
abstract class ConcurrencyRules extends RuleGroup {
    private static final int THREADS = 8;
    private static final int ATTEMPTS = 20;
    private static final long RACE_NANOS = 3_000_000_000L;

    ConcurrencyRules(BackendConformance suite) {
        super(suite);
    }

    /// Threads allocate, fill, check and close at once, and never see another one's memory.
    ///
    /// If it fails: look at the lock (or its absence) around the allocator and the set of open objects.
    @Test
    @DisplayName("N-01 many threads allocate and close at once")
    void n_01_many_threads_allocate_and_close_at_once() throws InterruptedException {
        Map<Long, Long> live = new ConcurrentHashMap<>();
        boolean pointers = bench.claims(Capability.POINTERS);
        Threads.together(THREADS, thread -> {
            RandomGenerator random = Seed.random("N-01." + thread);
            for (int i = 0; i < (bench.effort == Effort.FULL ? 60 : 15); i++) {
                byte[] bytes = Workbench.bytes(random, 1 + random.nextInt(3000));
                try (DeviceBuffer buffer = bench.backend.allocate(bytes.length, 64)) {
                    if (pointers) {
                        assertEquals(null, live.put(buffer.handle().value(), (long) thread), "one address twice");
                    }
                    bench.upload(bytes, buffer, 0);
                    assertBytes(bytes, bench.download(buffer), "thread " + thread);
                    if (pointers) {
                        live.remove(buffer.handle().value());
                    }
                }
            }
        });
    }

    /// Streams on several threads, one each, work at once on parts of one buffer.
    ///
    /// If it fails: no state of the backend may belong to "the" stream or "the" current copy.
    @Test
    @DisplayName("N-02 streams of several threads work at once")
    void n_02_streams_of_several_threads_work_at_once() throws InterruptedException {
        int part = 300_001;
        byte[] bytes = Workbench.bytes(random(), THREADS * part);
        DeviceBuffer buffer = bench.allocate(bytes.length);
        Threads.together(THREADS, thread -> {
            try (StagingBuffer staging = bench.backend.allocateStaging(part);
                    CopyStream stream = bench.backend.openCopyStream()) {
                MemorySegment.copy(MemorySegment.ofArray(bytes), (long) thread * part, staging.segment(), 0, part);
                stream.copyToDevice(staging.segment(), buffer, (long) thread * part);
                Workbench.settle(stream);
            }
        });
        assertBytes(bytes, bench.download(buffer), "parts of " + THREADS + " threads");
    }

    /// Several threads wait for one fence and ask it, while it passes.
    ///
    /// If it fails: waiting changes nothing in the fence; a result that is taken out by the first one hangs the others.
    @Test
    @DisplayName("N-03 several threads wait for one fence")
    void n_03_several_threads_wait_for_one_fence() throws InterruptedException {
        byte[] bytes = Workbench.bytes(random(), 4 << 20);
        StagingBuffer staging = bench.staged(bytes);
        StagingBuffer back = bench.staging(bytes.length);
        DeviceBuffer buffer = bench.allocate(bytes.length);
        try (CopyStream stream = bench.backend.openCopyStream()) {
            stream.copyToDevice(staging.segment(), buffer, 0);
            stream.copyToHost(buffer, 0, back.segment());
            try (Fence fence = stream.fence()) {
                Threads.together(THREADS, _ -> {
                    fence.isPassed();
                    fence.await();
                    assertTrue(fence.isPassed(), "awaited, and not passed");
                    assertBytes(bytes, back.segment().toArray(ValueLayout.JAVA_BYTE), "bytes behind the fence");
                });
            }
        }
    }

    /// Kernels on streams of several threads give each thread its own result (capability KERNELS).
    ///
    /// If it fails: scratch memory and arguments of a kernel belong to its stream.
    @Test
    @DisplayName("N-04 kernels of several threads run at once")
    void n_04_kernels_of_several_threads_run_at_once() throws InterruptedException {
        bench.need(Capability.KERNELS);
        Threads.together(THREADS, thread -> {
            byte[] source = Workbench.bytes(Seed.random("N-04." + thread), 40_000);
            byte[] expected = new byte[20_000];
            ScalarReference.convert(MemorySegment.ofArray(source), DType.F32, MemorySegment.ofArray(expected),
                    DType.BF16, 10_000);
            DeviceBuffer from = bench.upload(source);
            DeviceBuffer to = bench.allocate(expected.length);
            try (CopyStream stream = bench.backend.openCopyStream()) {
                for (int i = 0; i < 5; i++) {
                    bench.backend.kernels().convert(stream, BufferSlice.of(from), DType.F32, BufferSlice.of(to),
                            DType.BF16, 10_000);
                    Workbench.settle(stream);
                    assertBytes(expected, bench.download(to), "thread " + thread);
                }
            }
        });
    }

    /// Threads that close one buffer, slot or stream at the same time free it once.
    ///
    /// If it fails: test and set the flag in one atomic step.
    @Test
    @DisplayName("N-05 threads that close one object at once free it once")
    void n_05_threads_that_close_one_object_at_once_free_it_once() throws InterruptedException {
        long chunk = MemoryMeter.chunk(bench.backend);
        int rounds = affordable(bench.effort == Effort.FULL ? 1500 : 500, chunk);
        // What others may do to the device's memory meanwhile.
        long noise = chunk / 2;
        Closing closing = new Closing(bench.backend, chunk);
        // Free memory of the host changes with every process.
        boolean counts = !bench.device.isCpu();
        long least = Long.MAX_VALUE;
        for (int attempt = 0; attempt < (counts ? ATTEMPTS : 1) && least > noise; attempt++) {
            long before = bench.backend.memory().free();
            Threads.race(2, rounds, closing);
            least = Math.min(least, bench.backend.memory().free() - before);
        }
        long grown = least;
        assertTrue(!counts || grown <= noise, () -> "free memory grew by " + grown + " bytes: some was freed twice");
        byte[] bytes = Workbench.bytes(random(), 2000);
        List<DeviceBuffer> buffers = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            buffers.add(bench.upload(bytes));
        }
        for (DeviceBuffer buffer : buffers) {
            assertBytes(bytes, bench.download(buffer), "a buffer after others were closed by two threads");
        }
        stateOdds("a flag that is tested and set in two steps, seen", 100, rounds);
    }

    /// As many rounds as a few seconds have room for: a backend may clear what it allocates.
    private int affordable(int rounds, long bytes) {
        long start = System.nanoTime();
        bench.backend.allocate(bytes, 64).close();
        bench.backend.allocate(bytes, 64).close();
        long each = (System.nanoTime() - start) / 2 + 1;
        return Math.clamp(RACE_NANOS / each, 20, rounds);
    }

    /// Each round both threads close what the round has.
    private static final class Closing implements Threads.Race {
        private final Backend backend;
        private final long chunk;
        private volatile @Nullable AutoCloseable object;

        Closing(Backend backend, long chunk) {
            this.backend = backend;
            this.chunk = chunk;
        }

        @Override
        public void prepare(int round) {
            object = switch (round % 8) {
                case 0, 2 -> backend.allocateStaging(4096);
                case 4, 6 -> backend.openCopyStream();
                default -> backend.allocate(chunk, 64);
            };
        }

        @Override
        public void run(int thread) {
            try {
                Objects.requireNonNull(object).close();
            } catch (Exception e) {
                throw new IllegalStateException("closing what another thread closes too", e);
            }
        }
    }

    /// What `memory()` says is free is the same after many threads have allocated and closed at once. Not applicable where
    /// the device does not say how much is free.
    ///
    /// If it fails: a sum that several threads change needs an atomic step.
    @Test
    @DisplayName("N-07 free memory is right after many threads")
    void n_07_free_memory_is_right_after_many_threads() throws InterruptedException {
        if (bench.backend.memory().free() < 0) {
            throw new NotApplicable("the device does not say how much memory is free");
        }
        if (bench.device.isCpu()) {
            throw new NotApplicable("free memory of the host changes with every process");
        }
        long bytes = MemoryMeter.chunk(bench.backend);
        int rounds = affordable(bench.effort == Effort.FULL ? 1500 : 500, bytes);
        long noise = bytes / 2;
        long least = Long.MAX_VALUE;
        for (int attempt = 0; attempt < ATTEMPTS && least > noise; attempt++) {
            long before = bench.backend.memory().free();
            Threads.race(2, rounds, new Threads.Race() {
                @Override
                public void prepare(int round) {
                    // Nothing.
                }

                @Override
                public void run(int thread) {
                    bench.backend.allocate(bytes, 64).close();
                }
            });
            least = Math.min(least, Math.abs(bench.backend.memory().free() - before));
        }
        long drift = least;
        assertTrue(drift <= noise, () -> "free memory changed by " + drift + " bytes");
        stateOdds("a sum that is changed in two steps, seen", 100, rounds);
    }

    /// A stream may move from thread to thread, as long as one uses it at a time.
    ///
    /// If it fails: make the driver's context current in each call, not when the stream is opened.
    @Test
    @DisplayName("N-06 a stream may move from thread to thread")
    void n_06_a_stream_may_move_from_thread_to_thread() throws InterruptedException {
        int part = 5000;
        byte[] bytes = Workbench.bytes(random(), 4 * part);
        StagingBuffer staging = bench.staged(bytes);
        DeviceBuffer buffer = bench.allocate(bytes.length);
        try (CopyStream stream = bench.backend.openCopyStream()) {
            for (int i = 0; i < 4; i++) {
                int at = i * part;
                Threads.together(1, _ -> stream.copyToDevice(staging.segment().asSlice(at, part), buffer, at));
            }
            Workbench.settle(stream);
        }
        assertBytes(bytes, bench.download(buffer), "bytes copied by four threads in turn");
    }
}
