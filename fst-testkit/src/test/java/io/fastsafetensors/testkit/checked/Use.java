package io.fastsafetensors.testkit.checked;

import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.DirectFile;
import io.fastsafetensors.spi.DirectStorage;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.spi.HostRegistration;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.spi.Strided;
import io.fastsafetensors.testkit.ffm.DescriptorFile;
import io.fastsafetensors.testkit.host.HostProvider;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/// Everything that core does with a backend, once and right.
final class Use {
    static final int SIZE = 4096;

    private Use() {
    }

    static void everything(CheckedBackendProvider provider) {
        provider.probe();
        provider.probe();
        try (Backend backend = provider.open(HostProvider.DEVICE, BackendOptions.defaults())) {
            backend.name();
            backend.info();
            backend.hints();
            backend.memory();
            copies(backend);
            registration(backend);
            directReads(backend);
        }
    }

    private static void copies(Backend backend) {
        try (DeviceBuffer buffer = backend.allocate(SIZE, 256);
                DeviceBuffer other = backend.allocate(SIZE, 256);
                StagingBuffer slot = backend.allocateStaging(SIZE);
                StagingBuffer back = backend.allocateStaging(SIZE);
                CopyStream stream = backend.openCopyStream();
                CopyStream second = backend.openCopyStream()) {
            buffer.byteSize();
            buffer.handle();
            buffer.segment();
            slot.segment().fill((byte) 7);
            stream.copyToDevice(slot.segment(), buffer, 0);
            Fence early = stream.fence();
            stream.copy(buffer, 0, other, 0, SIZE);
            for (DType dtype : new DType[] {DType.F32, DType.F32}) {
                backend.kernels().supports(dtype, dtype);
            }
            backend.kernels().convert(stream, new BufferSlice(buffer, 0, 400), DType.F32,
                    new BufferSlice(other, 0, 200), DType.F16, 100);
            backend.kernels().gather(stream, new BufferSlice(buffer, 0, 400), DType.F32,
                    new Strided(Shape.of(10), 0, new long[] {2}), new BufferSlice(other, 0, 40), DType.F32);
            Fence late = stream.fence();
            second.waitFor(late);
            second.copyToHost(other, 0, back.segment());
            second.synchronize();
            late.await();
            late.isPassed();
            early.isPassed();
            late.close();
            early.close();
            slot.segment().fill((byte) 8);
            stream.copyToDevice(slot.segment(), buffer, 0);
            stream.synchronize();
        }
    }

    private static void registration(Backend backend) {
        try (Arena arena = Arena.ofShared();
                DeviceBuffer buffer = backend.allocate(SIZE, 256);
                CopyStream stream = backend.openCopyStream()) {
            MemorySegment memory = arena.allocate(SIZE, 4096);
            HostRegistration registration = backend.registerHost(memory, false).orElseThrow();
            stream.copyToDevice(memory, buffer, 0);
            stream.synchronize();
            registration.close();
            registration.close();
        }
    }

    private static void directReads(Backend backend) {
        Path path = file();
        try (DescriptorFile file = DescriptorFile.open(path); DeviceBuffer buffer = backend.allocate(SIZE, 256)) {
            DirectStorage storage = backend.directStorage().orElseThrow();
            storage.support(file);
            try (DirectFile direct = storage.open(file)) {
                direct.read(0, buffer, 0, 1000);
                direct.read(990, buffer, 0, 20);
            }
        } finally {
            delete(path);
        }
    }

    /// A file of 1000 bytes, which the caller deletes.
    static Path file() {
        try {
            return Files.write(Files.createTempFile("fst-checked", ".bin"), new byte[1000]);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static void delete(Path path) {
        try {
            Files.delete(path);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// What goes wrong with the parts of a backend when they are used by somebody else.
    static List<ContractViolation> violations(CheckedBackendProvider provider) {
        try {
            everything(provider);
        } catch (ContractViolation | RuntimeException | LinkageError _) {
            // It is in the list.
        }
        return provider.violations().all();
    }
}
