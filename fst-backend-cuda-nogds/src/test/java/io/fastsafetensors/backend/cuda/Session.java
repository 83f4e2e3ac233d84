package io.fastsafetensors.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.spi.HostRegistration;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.types.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/// Uses every function of the backend once, and leaves some of it to the backend's close.
public final class Session {
    private static final int SIZE = 4096;

    private Session() {
    }

    /// @return everything that was thrown, the first one first
    public static List<Throwable> run(Supplier<Backend> opener) {
        List<Throwable> thrown = new ArrayList<>();
        try (Backend backend = opener.get()) {
            backend.allocate(1, 1);
            backend.allocateStaging(1);
            backend.openCopyStream();
            use(backend);
        } catch (RuntimeException e) {
            collect(e, thrown);
        }
        return thrown;
    }

    private static void collect(Throwable e, List<Throwable> thrown) {
        thrown.add(e);
        for (Throwable suppressed : e.getSuppressed()) {
            collect(suppressed, thrown);
        }
    }

    private static void use(Backend backend) {
        byte[] back = new byte[SIZE];
        try (DeviceBuffer first = backend.allocate(SIZE, 256);
                DeviceBuffer second = backend.allocate(SIZE, 1 << 17);
                StagingBuffer staging = backend.allocateStaging(SIZE);
                CopyStream stream = backend.openCopyStream();
                CopyStream other = backend.openCopyStream()) {
            staging.segment().fill((byte) 7);
            stream.copyToDevice(staging.segment(), first, 0);
            try (Fence fence = stream.fence()) {
                other.waitFor(fence);
                other.copy(first, 0, second, 0, SIZE);
                other.copyToHost(second, 0, MemorySegment.ofArray(back));
                fence.await();
            }
            other.synchronize();
            backend.kernels().convert(stream, BufferSlice.of(first), DType.F32, new BufferSlice(second, 0, SIZE / 2),
                    DType.BF16, SIZE / 4);
            registered(backend, stream, first);
            backend.memory();
        }
        assertArrayEquals(staged(), back);
    }

    private static void registered(Backend backend, CopyStream stream, DeviceBuffer buffer) {
        try (Arena arena = Arena.ofShared()) {
            MemorySegment memory = arena.allocate(SIZE, SIZE);
            try (HostRegistration registration = backend.registerHost(memory, false).orElseThrow()) {
                stream.copyToDevice(memory, buffer, SIZE - registration.byteSize());
                stream.synchronize();
            }
        }
    }

    private static byte[] staged() {
        byte[] bytes = new byte[SIZE];
        MemorySegment.ofArray(bytes).fill((byte) 7);
        return bytes;
    }
}
