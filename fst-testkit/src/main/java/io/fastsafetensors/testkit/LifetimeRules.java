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
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.testkit.ffm.DescriptorFile;
import io.fastsafetensors.testkit.leak.LeakExtension;
import io.fastsafetensors.testkit.leak.ProcessSnapshot;
import io.fastsafetensors.types.DType;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
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

    /// Many rounds of probing, opening, copying, direct reads and closing leave no open file, socket, device node or other
    /// descriptor, no thread of any name, no mapping and no memory; the tables of the process are compared.
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
        ProcessSnapshot before = ProcessSnapshot.take("fst-");
        int rounds = bench.effort == Effort.FULL ? 100 : 25;
        for (int i = 0; i < rounds; i++) {
            round(direct);
        }
        // The virtual machine opens and starts this and that once; what each round leaves is left many times.
        assertEquals(List.of(), resources.moreNow(rounds / 2), "left behind after " + rounds + " rounds");
        assertEquals(List.of(), leaks().leaksSince(before), "left behind after " + rounds + " rounds");
    }

    /// Many operations on open objects keep nothing until the close: no thread, descriptor, mapping or memory for each
    /// copy, fence, registration or direct read.
    ///
    /// If it fails: as L-10, within one backend.
    @Test
    @DisplayName("L-11 many operations keep nothing until the close")
    void l_11_many_operations_keep_nothing_until_the_close(@TempDir Path folder) throws IOException {
        Path path = Files.write(folder.resolve("read"), new byte[READ]);
        DeviceBuffer buffer = bench.allocate(READ);
        StagingBuffer staging = bench.staging(READ);
        try (CopyStream stream = bench.backend.openCopyStream()) {
            operate(stream, staging, buffer);
            OpenResources resources = OpenResources.now(_ -> false);
            ProcessSnapshot before = ProcessSnapshot.take("fst-");
            for (int i = 0; i < OPERATIONS; i++) {
                operate(stream, staging, buffer);
            }
            read(bench.backend, path, buffer, OPERATIONS);
            assertEquals(List.of(), resources.moreNow(OPERATIONS / 2), "kept by " + OPERATIONS + " operations");
            assertEquals(List.of(), leaks().leaksSince(before), "kept by operations");
        }
    }

    private static LeakExtension leaks() {
        return LeakExtension.strict().patience(OpenResources.patience());
    }

    private void operate(CopyStream stream, StagingBuffer staging, DeviceBuffer buffer) {
        stream.copyToDevice(staging.segment(), buffer, 0);
        Workbench.settle(stream);
        stream.copyToHost(buffer, 0, staging.segment());
        stream.synchronize();
        bench.backend.memory();
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
        try (Backend backend = bench.provider.open(bench.device, BackendOptions.defaults())) {
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
}
