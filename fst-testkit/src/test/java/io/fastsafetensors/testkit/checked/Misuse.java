package io.fastsafetensors.testkit.checked;

import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.DirectFile;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.spi.Strided;
import io.fastsafetensors.testkit.ffm.DescriptorFile;
import io.fastsafetensors.testkit.fixture.PlainFile;
import io.fastsafetensors.testkit.host.HostProvider;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Shape;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.CountDownLatch;

/// A caller's error for each check on callers.
final class Misuse {
    private static final int SIZE = Use.SIZE;

    /// Makes the error with a backend that is closed afterwards.
    interface Error {
        void make(Backend backend, CopyStream stream, DeviceBuffer buffer, StagingBuffer slot) throws Exception;
    }

    private Misuse() {
    }

    static Map<Check, Error> all() {
        Map<Check, Error> errors = new EnumMap<>(Check.class);
        ofSizes(errors);
        ofClosedThings(errors);
        ofHostMemory(errors);
        ofFlights(errors);
        ofKernels(errors);
        return errors;
    }

    private static void ofSizes(Map<Check, Error> errors) {
        errors.put(Check.NEGATIVE_SIZE, (backend, _, _, _) -> backend.allocate(-1, 64));
        errors.put(Check.BAD_ALIGNMENT, (backend, _, _, _) -> backend.allocate(64, 48));
        errors.put(Check.OUTSIDE_BUFFER, (_, stream, buffer, slot) -> stream.copyToDevice(slot.segment(), buffer, 1));
        errors.put(Check.OVERLAPPING_COPY, (_, stream, buffer, _) -> stream.copy(buffer, 0, buffer, 10, 100));
        errors.put(Check.REGISTRATION_NOT_ALIGNED, (backend, _, _, slot) -> backend
                .registerHost(slot.segment().asSlice(64), false));
        errors.put(Check.DEVICE_NOT_LISTED, (_, _, _, _) -> new CheckedBackendProvider(HostProvider.full())
                .open(new Device("host", 7), BackendOptions.defaults()));
    }

    private static void ofClosedThings(Map<Check, Error> errors) {
        errors.put(Check.CLOSED_BACKEND_USED, (backend, stream, buffer, slot) -> {
            stream.close();
            buffer.close();
            slot.close();
            backend.close();
            backend.allocate(1, 1);
        });
        errors.put(Check.CLOSE_ORDER, (backend, _, _, _) -> backend.close());
        errors.put(Check.CLOSED_BUFFER_USED, (_, stream, buffer, slot) -> {
            buffer.close();
            stream.copyToDevice(slot.segment(), buffer, 0);
        });
        errors.put(Check.CLOSED_STAGING_USED, (_, _, _, slot) -> {
            slot.close();
            slot.segment();
        });
        errors.put(Check.CLOSED_STREAM_USED, (_, stream, _, _) -> {
            stream.close();
            stream.fence();
        });
        errors.put(Check.CLOSED_FENCE_USED, (_, stream, _, _) -> {
            Fence fence = stream.fence();
            fence.close();
            fence.await();
        });
        errors.put(Check.CLOSED_FILE_USED, (backend, _, buffer, _) -> withFile(file -> {
            DirectFile direct = backend.directStorage().orElseThrow().open(file);
            direct.close();
            direct.read(0, buffer, 0, 10);
        }));
        errors.put(Check.UNSUPPORTED_FILE, (backend, _, _, _) -> withFile(file -> backend.directStorage().orElseThrow()
                .open(new PlainFile(file))));
    }

    private static void ofHostMemory(Map<Check, Error> errors) {
        errors.put(Check.STREAM_SHARED, Misuse::shareStream);
        errors.put(Check.HOST_MEMORY_CLOSED, (_, stream, buffer, _) -> {
            MemorySegment memory;
            try (Arena arena = Arena.ofShared()) {
                memory = arena.allocate(16);
            }
            stream.copyToDevice(memory, buffer, 0);
        });
        errors.put(Check.HOST_MEMORY_OF_ANOTHER_THREAD, (_, stream, buffer, _) -> {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment memory = arena.allocate(16);
                inAnotherThread(() -> stream.copyToDevice(memory, buffer, 0));
            }
        });
        errors.put(Check.HOST_MEMORY_NOT_SHARED,
                (_, stream, buffer, _) -> stream.copyToDevice(MemorySegment.ofArray(new byte[16]), buffer, 0));
        errors.put(Check.READ_ONLY_TARGET,
                (_, stream, buffer, slot) -> stream.copyToHost(buffer, 0, slot.segment().asReadOnly()));
    }

    private static void ofFlights(Map<Check, Error> errors) {
        errors.put(Check.HOST_MEMORY_CLOSED_IN_FLIGHT, (_, stream, buffer, _) -> {
            try (Arena arena = Arena.ofShared()) {
                stream.copyToDevice(arena.allocate(16), buffer, 0);
            }
            stream.synchronize();
        });
        errors.put(Check.STAGING_CHANGED_IN_FLIGHT, (_, stream, buffer, slot) -> {
            stream.copyToDevice(slot.segment(), buffer, 0);
            slot.segment().fill((byte) 9);
            stream.synchronize();
        });
        errors.put(Check.STAGING_CLOSED_IN_FLIGHT, (_, stream, buffer, slot) -> {
            stream.copyToDevice(slot.segment(), buffer, 0);
            slot.close();
        });
        errors.put(Check.BUFFER_CLOSED_IN_FLIGHT, (_, stream, buffer, slot) -> {
            stream.copyToDevice(slot.segment(), buffer, 0);
            buffer.close();
        });
        errors.put(Check.REGISTRATION_CLOSED_IN_FLIGHT, (backend, stream, buffer, _) -> {
            try (Arena arena = Arena.ofShared()) {
                MemorySegment memory = arena.allocate(SIZE, 4096);
                AutoCloseable registration = backend.registerHost(memory, false).orElseThrow();
                stream.copyToDevice(memory, buffer, 0);
                registration.close();
            }
        });
        errors.put(Check.MEMORY_CLOSED_WHILE_REGISTERED, (backend, _, _, _) -> {
            AutoCloseable registration;
            try (Arena arena = Arena.ofShared()) {
                registration = backend.registerHost(arena.allocate(SIZE, 4096), false).orElseThrow();
            }
            registration.close();
        });
    }

    private static void ofKernels(Map<Check, Error> errors) {
        errors.put(Check.FOREIGN_STREAM, (backend, _, buffer, _) -> {
            try (Backend other = new CheckedBackendProvider(HostProvider.full()).open(HostProvider.DEVICE,
                    BackendOptions.defaults()); CopyStream stream = other.openCopyStream()) {
                convert(backend, stream, buffer, DType.F16, 100);
            }
        });
        errors.put(Check.FOREIGN_BUFFER, (_, stream, _, slot) -> {
            try (Backend other = new CheckedBackendProvider(HostProvider.full().devices(2)).open(new Device("host", 1),
                    BackendOptions.defaults()); DeviceBuffer foreign = other.allocate(SIZE, 64)) {
                stream.copyToDevice(slot.segment(), foreign, 0);
            }
        });
        errors.put(Check.KERNEL_SIZES, (backend, stream, buffer, _) -> convert(backend, stream, buffer, DType.F16, 99));
        errors.put(Check.UNSUPPORTED_PAIR,
                (backend, stream, buffer, _) -> convert(backend, stream, buffer, DType.C64, 100));
        errors.put(Check.VIEW_OUTSIDE_SOURCE, (backend, stream, buffer, _) -> backend.kernels().gather(stream,
                new BufferSlice(buffer, 0, 400), DType.F32, new Strided(Shape.of(10), 91, new long[] {1}),
                new BufferSlice(buffer, 400, 40), DType.F32));
        errors.put(Check.SUB_BYTE_GATHER, (backend, stream, buffer, _) -> backend.kernels().gather(stream,
                new BufferSlice(buffer, 0, 4), DType.F4, new Strided(Shape.of(2), 0, new long[] {1}),
                new BufferSlice(buffer, 400, 1), DType.F4));
        errors.put(Check.UNCLAIMED_KERNELS, (_, _, _, _) -> {
            try (Backend other = new CheckedBackendProvider(HostProvider.copying()).open(HostProvider.DEVICE,
                    BackendOptions.defaults())) {
                other.kernels();
            }
        });
    }

    private static void convert(Backend backend, CopyStream stream, DeviceBuffer buffer, DType to, long elements) {
        backend.kernels().convert(stream, new BufferSlice(buffer, 0, 400), DType.F32,
                new BufferSlice(buffer, 400, to == DType.C64 ? 800 : 200), to, elements);
    }

    /// The first thread is inside a call until the second one has made its own.
    private static void shareStream(Backend backend, CopyStream stream, DeviceBuffer buffer, StagingBuffer slot)
            throws InterruptedException {
        CountDownLatch inside = new CountDownLatch(1);
        CountDownLatch over = new CountDownLatch(1);
        Fence slow = new Fence() {
            @Override
            public boolean isPassed() {
                return true;
            }

            @Override
            public void await() {
                inside.countDown();
                try {
                    over.await();
                } catch (InterruptedException _) {
                    Thread.currentThread().interrupt();
                }
            }

            @Override
            public void close() {
                // Holds nothing.
            }
        };
        Thread first = Thread.ofPlatform().start(() -> stream.waitFor(slow));
        inside.await();
        try {
            stream.copyToDevice(slot.segment(), buffer, 0);
        } finally {
            over.countDown();
            first.join();
        }
    }

    private static void inAnotherThread(Runnable work) throws InterruptedException {
        Throwable[] thrown = new Throwable[1];
        Thread thread = Thread.ofPlatform().unstarted(work);
        thread.setUncaughtExceptionHandler((_, e) -> thrown[0] = e);
        thread.start();
        thread.join();
        if (thrown[0] instanceof java.lang.Error error) {
            throw error;
        }
        if (thrown[0] instanceof RuntimeException exception) {
            throw exception;
        }
    }

    private interface FileWork {
        void with(DescriptorFile file);
    }

    private static void withFile(FileWork work) {
        Path path = Use.file();
        try (DescriptorFile file = DescriptorFile.open(path)) {
            work.with(file);
        } finally {
            Use.delete(path);
        }
    }
}
