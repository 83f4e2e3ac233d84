package io.fastsafetensors.testkit;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.Capability;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.DirectFile;
import io.fastsafetensors.spi.DirectStorage;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.spi.HostRegistration;
import io.fastsafetensors.spi.Kernels;
import io.fastsafetensors.spi.ScaleGrid;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.spi.Strided;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.testkit.ffm.DescriptorFile;
import io.fastsafetensors.testkit.leak.LeakExtension;
import io.fastsafetensors.testkit.leak.ProcessSnapshot;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Shape;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Rules on lifetimes: who closes what, how often, from where, and what is left then.
abstract class LifetimeRules extends RuleGroup {
    private static final int READ = 1 << 20;
    private static final int OPERATIONS = 100;

    LifetimeRules(BackendConformance suite) {
        super(suite);
    }

    /// Closing a buffer twice does not free what was allocated meanwhile.
    ///
    /// If it fails: a flag per buffer, set once, decides whether memory is freed.
    @Test
    @DisplayName("L-01 closing a buffer twice frees it once")
    void l_01_closing_a_buffer_twice_frees_it_once() {
        int size = 5000;
        byte[] bytes = Workbench.bytes(random(), size);
        DeviceBuffer first = bench.backend.allocate(size, 256);
        first.close();
        DeviceBuffer second = bench.upload(bytes);
        first.close();
        DeviceBuffer third = bench.upload(Workbench.filler(size));
        assertBytes(bytes, bench.download(second), "a buffer after another one was closed twice");
        assertBytes(Workbench.filler(size), bench.download(third), "a buffer allocated after that");
    }

    /// After a buffer is closed its accessors throw [IllegalStateException].
    ///
    /// If it fails: check the flag in every accessor, the size included.
    @Test
    @DisplayName("L-02 a closed buffer answers with IllegalStateException")
    void l_02_a_closed_buffer_answers_with_illegal_state_exception() {
        DeviceBuffer buffer = bench.backend.allocate(64, 64);
        // What was asked for once may be kept.
        assertEquals(64, buffer.byteSize());
        assertEquals(buffer.handle(), buffer.handle());
        assertEquals(buffer.segment(), buffer.segment());
        buffer.close();
        assertAll(() -> assertThrows(IllegalStateException.class, buffer::byteSize, "byteSize()"),
                () -> assertThrows(IllegalStateException.class, buffer::handle, "handle()"),
                () -> assertThrows(IllegalStateException.class, buffer::segment, "segment()"));
    }

    /// A buffer may be closed by a thread that did not allocate it.
    ///
    /// If it fails: no confined arenas, no context that is current on one thread only.
    @Test
    @DisplayName("L-03 any thread may close a buffer")
    void l_03_any_thread_may_close_a_buffer() throws InterruptedException {
        DeviceBuffer buffer = bench.upload(new byte[100]);
        List<Throwable> thrown = new CopyOnWriteArrayList<>();
        Thread closer = Thread.ofPlatform().unstarted(buffer::close);
        closer.setUncaughtExceptionHandler((_, e) -> thrown.add(e));
        closer.start();
        closer.join();
        assertEquals(List.of(), thrown, "what closing from another thread threw");
        assertThrows(IllegalStateException.class, buffer::handle, "it is not closed");
    }

    /// Closing a buffer ends the segment that it gave out: late access throws and never crashes (capability
    /// HOST_ADDRESSABLE).
    ///
    /// If it fails: make the segment with a shared arena that the buffer closes; a segment of the global scope outlives
    /// the memory.
    @Test
    @DisplayName("L-04 a segment ends with its buffer")
    void l_04_a_segment_ends_with_its_buffer() {
        bench.need(Capability.HOST_ADDRESSABLE);
        DeviceBuffer buffer = bench.backend.allocate(64, 64);
        MemorySegment segment = buffer.segment().orElseThrow();
        buffer.close();
        assertFalse(segment.scope().isAlive(), "the segment is alive after its buffer");
    }

    /// Closing staging memory twice is harmless, and ends its segment.
    ///
    /// If it fails: as L-01 and L-04.
    @Test
    @DisplayName("L-05 staging memory closes once and ends its segment")
    void l_05_staging_memory_closes_once_and_ends_its_segment() {
        StagingBuffer staging = bench.backend.allocateStaging(5000);
        MemorySegment segment = staging.segment();
        staging.close();
        StagingBuffer other = bench.staged(Workbench.filler(5000));
        staging.close();
        assertFalse(segment.scope().isAlive(), "the segment is alive after its staging buffer");
        assertTrue(other.segment().mismatch(MemorySegment.ofArray(Workbench.filler(5000))) < 0, "another slot changed");
    }

    /// A stream closes once; after that every operation throws [IllegalStateException], kernels on it too, and nothing is
    /// done.
    ///
    /// If it fails: the driver's handle is gone, and using it may crash; check a flag first.
    @Test
    @DisplayName("L-06 a closed stream answers with IllegalStateException")
    void l_06_a_closed_stream_answers_with_illegal_state_exception() {
        byte[] before = Workbench.filler(64);
        StagingBuffer staging = bench.staged(new byte[64]);
        DeviceBuffer buffer = bench.upload(before);
        CopyStream stream = bench.backend.openCopyStream();
        stream.close();
        stream.close();
        MemorySegment host = staging.segment();
        try (CopyStream open = bench.backend.openCopyStream(); Fence fence = open.fence()) {
            assertAll(
                    () -> assertThrows(IllegalStateException.class, () -> stream.copyToDevice(host, buffer, 0), "copy"),
                    () -> assertThrows(IllegalStateException.class, () -> stream.copyToHost(buffer, 0, host), "back"),
                    () -> assertThrows(IllegalStateException.class, () -> stream.copy(buffer, 0, buffer, 32, 32),
                            "copy within the device"),
                    () -> assertThrows(IllegalStateException.class, () -> stream.fence().close(), "fence()"),
                    () -> assertThrows(IllegalStateException.class, () -> stream.waitFor(fence), "waitFor()"),
                    () -> assertThrows(IllegalStateException.class, stream::synchronize, "synchronize()"));
            if (bench.claims(Capability.KERNELS)) {
                assertThrows(IllegalStateException.class, () -> bench.backend.kernels().convert(stream,
                        new BufferSlice(buffer, 0, 32), DType.F32, new BufferSlice(buffer, 32, 16), DType.F16, 8),
                        "a kernel");
            }
        }
        assertBytes(before, bench.download(buffer), "a buffer that a closed stream was given");
    }

    /// A fence may be closed, twice, before it has passed; the copies before it are done all the same.
    ///
    /// If it fails: closing releases the event, it cancels nothing.
    @Test
    @DisplayName("L-07 closing a fence cancels nothing")
    void l_07_closing_a_fence_cancels_nothing() {
        byte[] bytes = Workbench.bytes(random(), 2 << 20);
        StagingBuffer staging = bench.staged(bytes);
        DeviceBuffer buffer = bench.allocate(bytes.length);
        try (CopyStream stream = bench.backend.openCopyStream()) {
            stream.copyToDevice(staging.segment(), buffer, 0);
            Fence fence = stream.fence();
            fence.close();
            fence.close();
            stream.synchronize();
        }
        assertBytes(bytes, bench.download(buffer), "bytes behind a fence that was closed");
    }

    /// Closing a backend closes what is still open there: buffers, staging memory, streams. Using them afterwards, or
    /// the backend, throws [IllegalStateException]. Closing them, or the backend again, is harmless.
    ///
    /// If it fails: keep a set of what is open.
    @Test
    @DisplayName("L-08 closing a backend closes what is open there")
    void l_08_closing_a_backend_closes_what_is_open_there() {
        Backend backend = bench.provider.open(bench.device, BackendOptions.defaults());
        DeviceBuffer buffer = backend.allocate(100, 64);
        StagingBuffer staging = backend.allocateStaging(100);
        MemorySegment segment = staging.segment();
        CopyStream stream = backend.openCopyStream();
        backend.close();
        assertAll(() -> assertThrows(IllegalStateException.class, buffer::handle, "the buffer is open"),
                () -> assertFalse(segment.scope().isAlive(), "the staging memory is open"),
                () -> assertThrows(IllegalStateException.class, stream::synchronize, "the stream is open"),
                () -> assertThrows(IllegalStateException.class, () -> backend.allocate(1, 1).close(), "allocate()"),
                () -> assertThrows(IllegalStateException.class, () -> backend.allocateStaging(1).close(), "staging"),
                () -> assertThrows(IllegalStateException.class, () -> backend.openCopyStream().close(), "stream"));
        for (AutoCloseable late : List.<AutoCloseable>of(stream, staging, buffer, backend)) {
            assertDoesNotThrow(late::close, "a close after the backend's");
        }
    }

    /// Two backends opened on one device do not know of each other: closing one leaves the other's memory.
    ///
    /// If it fails: the driver's context is shared and counted; destroy or reset nothing that others may use.
    @Test
    @DisplayName("L-09 closing one backend leaves another one alone")
    void l_09_closing_one_backend_leaves_another_one_alone() {
        byte[] bytes = Workbench.bytes(random(), 4000);
        DeviceBuffer buffer = bench.upload(bytes);
        Backend other = bench.provider.open(bench.device, BackendOptions.defaults());
        other.allocate(100, 64);
        other.close();
        assertBytes(bytes, bench.download(buffer), "memory of a backend after another one was closed");
        assertBytes(bytes, bench.download(bench.upload(bytes)), "memory allocated after that");
    }

    /// Many rounds of probing, opening, copying, direct reads, refusals and closing leave no open file, socket, device node or
    /// other descriptor, no thread of any name, no mapping, no memory, no process and no temporary file; the tables of the
    /// process are compared.
    ///
    /// If it fails: the message lists what is left; look for a path that leaves before its close, and for staging memory
    /// that belongs to a read.
    @Test
    @DisplayName("L-10 many rounds leave nothing behind")
    void l_10_many_rounds_leave_nothing_behind(@TempDir Path folder) throws IOException {
        Path file = Files.write(folder.resolve("read"), new byte[READ]);
        Optional<Path> direct = bench.claims(Capability.DIRECT_STORAGE) ? Optional.of(file) : Optional.empty();
        round(direct);
        round(direct);
        OpenResources resources = OpenResources.now(_ -> false);
        Outside outside = Outside.now();
        ProcessSnapshot before = ProcessSnapshot.take("fst-");
        int rounds = bench.effort == Effort.FULL ? 100 : 40;
        for (int i = 0; i < rounds; i++) {
            round(direct);
        }
        // The virtual machine opens and starts this and that once; what each round leaves is left many times.
        assertEquals(List.of(), resources.moreNow(rounds / 2), "left behind after " + rounds + " rounds");
        assertEquals(List.of(), outside.moreNow(rounds / 2), "left behind after " + rounds + " rounds");
        assertEquals(List.of(), leaks().leaksSince(before), "left behind after " + rounds + " rounds");
    }

    /// Children of this process and entries of the temporary directory, which stay when a process has ended.
    ///
    /// @param temporary how many entries have a name, whatever number is in it
    private record Outside(long children, Map<String, Long> temporary) {
        static Outside now() {
            try (Stream<Path> entries = Files.list(Path.of(System.getProperty("java.io.tmpdir")))) {
                Map<String, Long> names = entries.map(entry -> entry.getFileName().toString().replaceAll("\\d+", "N"))
                        .collect(Collectors.groupingBy(name -> name, Collectors.counting()));
                // Those of other processes' tests.
                names.remove("junit-N");
                return new Outside(ProcessHandle.current().children().count(), names);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        /// What is there so many times more at least.
        List<String> moreNow(int least) {
            long end = System.nanoTime() + OpenResources.patience().toNanos();
            List<String> more = more(least);
            while (!more.isEmpty() && System.nanoTime() < end) {
                LockSupport.parkNanos(20_000_000);
                more = more(least);
            }
            return more;
        }

        private List<String> more(int least) {
            Outside now = now();
            List<String> more = new ArrayList<>();
            if (now.children - children >= least) {
                more.add(now.children - children + " child processes");
            }
            now.temporary.forEach((name, count) -> {
                if (count - temporary.getOrDefault(name, 0L) >= least) {
                    more.add(count - temporary.getOrDefault(name, 0L) + " temporary files " + name);
                }
            });
            return more;
        }
    }

    /// Many operations on open objects keep nothing until the close: no thread, descriptor, mapping or memory for each
    /// copy, fence, wait, kernel, registration, direct read or refusal.
    ///
    /// If it fails: as L-10, within one backend.
    @Test
    @DisplayName("L-11 many operations keep nothing until the close")
    void l_11_many_operations_keep_nothing_until_the_close(@TempDir Path folder) throws IOException {
        Path path = Files.write(folder.resolve("read"), new byte[READ]);
        DeviceBuffer buffer = bench.upload(new byte[READ]);
        DeviceBuffer other = bench.upload(new byte[READ]);
        StagingBuffer staging = bench.staging(READ);
        try (Arena arena = Arena.ofShared(); CopyStream stream = bench.backend.openCopyStream()) {
            MemorySegment pages = arena.allocate(1 << 16, 1 << 12);
            operate(stream, staging, buffer, other, pages);
            read(bench.backend, path, buffer, 1);
            OpenResources resources = OpenResources.now(_ -> false);
            ProcessSnapshot before = ProcessSnapshot.take("fst-");
            for (int i = 0; i < OPERATIONS; i++) {
                operate(stream, staging, buffer, other, pages);
            }
            read(bench.backend, path, buffer, OPERATIONS);
            assertEquals(List.of(), resources.moreNow(OPERATIONS / 2), "kept by " + OPERATIONS + " operations");
            assertEquals(List.of(), leaks().leaksSince(before), "kept by operations");
        }
    }

    private static LeakExtension leaks() {
        return LeakExtension.strict().patience(OpenResources.patience());
    }

    private void operate(CopyStream stream, StagingBuffer staging, DeviceBuffer buffer, DeviceBuffer other,
            MemorySegment pages) {
        stream.copyToDevice(staging.segment(), buffer, 0);
        Workbench.settle(stream);
        stream.copy(buffer, 0, other, 0, READ);
        try (Fence fence = stream.fence()) {
            stream.waitFor(fence);
        }
        assertThrows(IndexOutOfBoundsException.class, () -> stream.copyToDevice(staging.segment(), buffer, READ));
        if (bench.claims(Capability.KERNELS)) {
            compute(stream, buffer, other);
        }
        stream.copyToHost(buffer, 0, staging.segment());
        stream.synchronize();
        bench.backend.registerHost(pages, false).ifPresent(HostRegistration::close);
        bench.backend.memory();
    }

    private void compute(CopyStream stream, DeviceBuffer source, DeviceBuffer target) {
        Kernels kernels = bench.backend.kernels();
        BufferSlice bytes = new BufferSlice(source, 0, 64);
        kernels.convert(stream, bytes, DType.F32, new BufferSlice(target, 0, 32), DType.F16, 16);
        kernels.gather(stream, bytes, DType.U8, new Strided(Shape.of(16), 0, new long[] {4}),
                new BufferSlice(target, 64, 16), DType.U8);
        if (kernels.dequantizes(DType.I8, DType.F32)) {
            kernels.dequantize(stream, bytes, DType.I8, new BufferSlice(source, 64, Float.BYTES), ScaleGrid.single(),
                    0, 0, new BufferSlice(target, 128, 256), DType.F32);
        }
    }

    private void read(Backend backend, Path path, DeviceBuffer buffer, int times) {
        if (!bench.claims(Capability.DIRECT_STORAGE)) {
            return;
        }
        DirectStorage storage = backend.directStorage().orElseThrow();
        try (StorageFile file = DescriptorFile.open(path)) {
            if (storage.support(file).mode() == DirectStorage.Mode.NONE) {
                return;
            }
            try (DirectFile open = storage.open(file)) {
                for (int i = 0; i < times; i++) {
                    open.read(0, buffer, 0, READ);
                }
            }
        }
    }

    private void round(Optional<Path> direct) {
        bench.provider.probe();
        Device missing = new Device(bench.device.type(), 4_095);
        assertThrows(RuntimeException.class, () -> bench.provider.open(missing, BackendOptions.defaults()).close());
        try (Backend backend = bench.provider.open(bench.device, BackendOptions.defaults())) {
            assertThrows(RuntimeException.class, () -> backend.allocate(1L << 60, 256).close());
            if (bench.claims(Capability.KERNELS)) {
                backend.kernels();
            }
            for (int i = 0; i < 3; i++) {
                try (DeviceBuffer buffer = backend.allocate(READ, 256);
                        StagingBuffer staging = backend.allocateStaging(READ);
                        CopyStream stream = backend.openCopyStream()) {
                    stream.copyToDevice(staging.segment(), buffer, 0);
                    Workbench.settle(stream);
                    direct.ifPresent(path -> read(backend, path, buffer, 1));
                }
            }
        }
    }

    /// Memory that a native call in flight uses is not closed: closing it, or the backend, is an [IllegalStateException], and
    /// a later close frees it.
    ///
    /// If it fails: close the shared arena first and let its exception out; only then forget the memory.
    @Test
    @DisplayName("L-12 memory in use by a native call stays")
    void l_12_memory_in_use_by_a_native_call_stays() throws Exception {
        StagingBuffer staging = bench.staging(64);
        assertStays(staging.segment(), staging);
        if (bench.claims(Capability.HOST_ADDRESSABLE)) {
            DeviceBuffer buffer = bench.track(bench.backend.allocate(64, 64));
            assertStays(buffer.segment().orElseThrow(), buffer);
        }
        Backend other = bench.provider.open(bench.device, BackendOptions.defaults());
        assertStays(other.allocateStaging(64).segment(), other);
    }

    private static void assertStays(MemorySegment memory, AutoCloseable owner) throws Exception {
        NativeUse.during(memory, () -> {
            assertThrows(IllegalStateException.class, owner::close, "closing what a native call uses");
            assertTrue(memory.scope().isAlive(), "memory that a native call uses is gone");
        });
        owner.close();
        assertFalse(memory.scope().isAlive(), "a later close does not free the memory");
    }
}
