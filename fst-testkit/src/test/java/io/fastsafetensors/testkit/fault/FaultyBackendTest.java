package io.fastsafetensors.testkit.fault;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.OutOfDeviceMemoryException;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.Capability;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.DirectFile;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.testkit.fault.OpenObjects.Kind;
import io.fastsafetensors.testkit.ffm.DescriptorFile;
import io.fastsafetensors.testkit.fixture.Seed;
import io.fastsafetensors.testkit.host.HostProvider;
import io.fastsafetensors.types.DType;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FaultyBackendTest {
    private final FaultPlan plan = FaultPlan.seeded(Seed.value());
    private final FaultyBackendProvider provider = new FaultyBackendProvider(HostProvider.full(), plan);

    private Backend open() {
        return provider.open(HostProvider.DEVICE, BackendOptions.defaults());
    }

    @Test
    void nth_allocation_fails() {
        plan.fail(Operation.ALLOCATE, 2).fail(Operation.ALLOCATE_STAGING, 1);
        try (Backend backend = open()) {
            backend.allocate(10, 1).close();
            OutOfDeviceMemoryException refused = assertThrows(OutOfDeviceMemoryException.class,
                    () -> backend.allocate(11, 1));
            assertEquals(11, refused.requested());
            backend.allocate(12, 1).close();
            assertThrows(OutOfDeviceMemoryException.class, () -> backend.allocateStaging(1));
        }
        assertEquals(3, plan.calls(Operation.ALLOCATE));
        assertEquals(2, plan.failures());
        assertEquals(0, provider.objects().total(), provider.objects()::describe);
    }

    @Test
    void every_operation_can_fail() {
        Map<Operation, Consumer<Backend>> actions = Map.of(Operation.OPEN_STREAM, Backend::openCopyStream,
                Operation.COPY_TO_DEVICE, b -> onStream(b, (s, d, h) -> s.copyToDevice(h, d, 0)),
                Operation.COPY_TO_HOST, b -> onStream(b, (s, d, h) -> s.copyToHost(d, 0, h)), Operation.COPY,
                b -> onStream(b, (s, d, h) -> s.copy(d, 0, d, 8, 8)), Operation.KERNEL,
                b -> onStream(b, (s, d, h) -> b.kernels().convert(s, new BufferSlice(d, 0, 8), DType.F32,
                        new BufferSlice(d, 8, 4), DType.F16, 2)),
                Operation.FENCE, b -> onStream(b, (s, d, h) -> s.fence().close()), Operation.AWAIT,
                b -> onStream(b, (s, d, h) -> s.fence().await()), Operation.REGISTER_HOST,
                b -> b.registerHost(MemorySegment.ofArray(new byte[1]), false));
        actions.forEach((operation, action) -> {
            for (boolean deferred : new boolean[] {false, true}) {
                FaultPlan one = FaultPlan.seeded(1).fail(operation, 1);
                FaultyBackendProvider faulty = new FaultyBackendProvider(HostProvider.full(),
                        deferred ? one.deferred() : one);
                try (Backend backend = faulty.open(HostProvider.DEVICE, BackendOptions.defaults())) {
                    BackendException failed = assertThrows(BackendException.class, () -> action.accept(backend),
                            () -> operation + (deferred ? " deferred" : ""));
                    assertTrue(String.valueOf(failed.getMessage()).contains(operation + " number 1, seed 1"),
                            failed::getMessage);
                }
            }
        });
        plan.fail(Operation.OPEN, 1);
        assertThrows(BackendException.class, this::open);
    }

    private interface Work {
        void on(CopyStream stream, DeviceBuffer buffer, MemorySegment host);
    }

    private static void onStream(Backend backend, Work work) {
        try (DeviceBuffer buffer = backend.allocate(16, 1);
                StagingBuffer staging = backend.allocateStaging(8);
                CopyStream stream = backend.openCopyStream()) {
            work.on(stream, buffer, staging.segment());
            stream.synchronize();
        }
    }

    @Test
    void direct_reads_fail_in_parts(@TempDir Path folder) throws IOException {
        byte[] bytes = new byte[1000];
        Seed.random("direct").nextBytes(bytes);
        Path file = Files.write(folder.resolve("f"), bytes);
        plan.splitDirectReads(3).fail(Operation.DIRECT_READ, 5).fail(Operation.DIRECT_OPEN, 2);
        try (Backend backend = open(); StorageFile source = DescriptorFile.open(file);
                DeviceBuffer buffer = backend.allocate(1000, 1);
                DirectFile direct = backend.directStorage().orElseThrow().open(source)) {
            assertEquals(1000, direct.read(0, buffer, 0, 1000));
            assertEquals(-1, MemorySegment.ofArray(bytes).mismatch(buffer.segment().orElseThrow()), Seed.note());
            assertThrows(BackendException.class, () -> direct.read(0, buffer, 0, 1000));
            assertEquals(500, direct.read(500, buffer, 0, 1000), "over the end");
            assertEquals(1, provider.objects().count(Kind.DIRECT_FILE));
            assertThrows(BackendException.class, () -> backend.directStorage().orElseThrow().open(source));
        }
        assertEquals(Map.of(), provider.objects().counts());
    }

    @Test
    void deferred_copies_read_their_source_later() {
        plan.deferred().delay(Operation.COPY_TO_DEVICE, Duration.ofMillis(300));
        assertTrue(((Probe.Available) provider.probe()).capabilities().contains(Capability.ASYNCHRONOUS_COPIES));
        try (Backend backend = open(); DeviceBuffer buffer = backend.allocate(8, 1);
                StagingBuffer staging = backend.allocateStaging(8); CopyStream stream = backend.openCopyStream()) {
            int reused = 0;
            for (byte i = 1; i <= 20; i++) {
                staging.segment().fill(i);
                stream.copyToDevice(staging.segment(), buffer, 0);
                staging.segment().fill((byte) -1);
                stream.synchronize();
                reused += buffer.segment().orElseThrow().get(ValueLayout.JAVA_BYTE, 0) == -1 ? 1 : 0;
            }
            assertTrue(reused > 0, "code that reuses a slot before its fence must see it" + Seed.note());
            assertTrue(backend.hints().slotsPerReader() >= 2);
        }
    }

    @Test
    void streams_finish_out_of_order() {
        plan.deferred().delay(Operation.COPY_TO_DEVICE, Duration.ofMillis(20));
        int inverted = 0;
        try (Backend backend = open(); DeviceBuffer buffer = backend.allocate(16, 1);
                StagingBuffer staging = backend.allocateStaging(8);
                CopyStream one = backend.openCopyStream(); CopyStream two = backend.openCopyStream()) {
            for (int i = 0; i < 40; i++) {
                one.copyToDevice(staging.segment(), buffer, 0);
                two.copyToDevice(staging.segment(), buffer, 8);
                try (Fence first = one.fence(); Fence second = two.fence()) {
                    second.await();
                    inverted += first.isPassed() ? 0 : 1;
                    first.await();
                }
            }
        }
        assertNotEquals(0, inverted, "the second stream is never first" + Seed.note());
    }

    @Test
    void failed_stream_stays_failed() {
        plan.deferred().fail(Operation.COPY_TO_DEVICE, 1);
        try (Backend backend = open(); DeviceBuffer buffer = backend.allocate(8, 1);
                StagingBuffer staging = backend.allocateStaging(8); CopyStream stream = backend.openCopyStream()) {
            stream.copyToDevice(staging.segment(), buffer, 0);
            stream.copyToDevice(staging.segment(), buffer, 0);
            try (Fence fence = stream.fence()) {
                assertThrows(BackendException.class, fence::await);
                assertThrows(BackendException.class, fence::isPassed);
            }
            assertThrows(BackendException.class, stream::synchronize);
        }
        assertEquals(0, provider.objects().total(), provider.objects()::describe);
    }

    @Test
    void open_objects_are_counted_and_found() {
        Backend backend = open();
        DeviceBuffer buffer = backend.allocate(1, 1);
        assertEquals(Map.of(Kind.BACKEND, 1L, Kind.BUFFER, 1L), provider.objects().counts());
        assertTrue(provider.objects().describe().contains("open_objects_are_counted_and_found"),
                provider.objects()::describe);
        buffer.close();
        buffer.close();
        assertEquals(1, provider.objects().total());
        backend.close();
        assertEquals("", provider.objects().describe());
    }

    @Test
    void one_seed_gives_one_sequence() {
        assertEquals(failures(5), failures(5));
        assertNotEquals(failures(5), failures(6));
        assertFalse(failures(5).isEmpty());
    }

    private static List<Integer> failures(long seed) {
        FaultPlan random = FaultPlan.seeded(seed).failRandomly(Operation.ALLOCATE, 0.2);
        List<Integer> failed = new ArrayList<>();
        try (Backend backend = new FaultyBackendProvider(HostProvider.full(), random).open(HostProvider.DEVICE,
                BackendOptions.defaults())) {
            for (int i = 0; i < 200; i++) {
                try {
                    backend.allocate(1, 1).close();
                } catch (OutOfDeviceMemoryException _) {
                    failed.add(i);
                }
            }
        }
        return failed;
    }
}
