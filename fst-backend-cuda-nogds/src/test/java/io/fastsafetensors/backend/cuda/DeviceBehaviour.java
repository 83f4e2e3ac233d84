package io.fastsafetensors.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.StreamOptions;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.TensorStream;
import io.fastsafetensors.error.OutOfDeviceMemoryException;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.spi.ffm.NativeLibrary;
import io.fastsafetensors.spi.ffm.WordFunction;
import io.fastsafetensors.testkit.fixture.SafetensorsFixture;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Shape;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Tests that the conformance suite cannot have, since it knows no CUDA: the context, the driver's memory, many
/// events. The driver is asked directly.
@Timeout(600)
public abstract class DeviceBehaviour {
    private static final int MIB = 1 << 20;
    private static final BackendProvider PROVIDER = new CudaBackendProvider();
    private static final Device FIRST = new Device("cuda", 0);

    private final NativeLibrary cuda = NativeLibrary.open("libcuda.so.1");
    private final WordFunction getCurrent = cuda.words("cuCtxGetCurrent");

    private static Backend open() {
        return PROVIDER.open(FIRST, BackendOptions.defaults());
    }

    /// The context that is current on this thread, 0 for none.
    private long current() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment context = arena.allocate(ValueLayout.JAVA_LONG);
            assertEquals(0, (int) getCurrent.call(context.address()));
            return context.get(ValueLayout.JAVA_LONG, 0);
        }
    }

    private void call(String function, long... a) {
        long second = a.length > 1 ? a[1] : 0;
        assertEquals(0, (int) cuda.words(function).call(a[0], second), function);
    }

    @Test
    void no_context_is_current_after_anything() {
        assertEquals(List.of(), Session.run(DeviceBehaviour::open));
        assertEquals(0, current());
        try (ContextBackend backend = assertInstanceOf(ContextBackend.class, open())) {
            assertEquals(0, current());
            assertNotEquals(0, backend.onDevice(this::current));
            assertEquals(0, current());
        }
    }

    @Test
    void the_programs_own_context_stays_current_and_alive() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment context = arena.allocate(ValueLayout.JAVA_LONG);
            call("cuDevicePrimaryCtxRetain", context.address(), 0);
            long own = context.get(ValueLayout.JAVA_LONG, 0);
            call("cuCtxSetCurrent", own);
            assertEquals(List.of(), Session.run(DeviceBehaviour::open));
            assertEquals(own, current());
            MemorySegment memory = arena.allocate(2 * Long.BYTES);
            call("cuMemGetInfo_v2", memory.address(), memory.address() + Long.BYTES);
            call("cuCtxSetCurrent", 0);
            call("cuDevicePrimaryCtxRelease_v2", 0);
        }
    }

    @Test
    void two_hundred_rounds_give_all_memory_back() {
        try (Backend watch = open()) {
            Session.run(DeviceBehaviour::open);
            long before = watch.memory().free();
            for (int round = 0; round < 200; round++) {
                try (Backend backend = open()) {
                    backend.allocate(16 * MIB, 256);
                    backend.allocateStaging(MIB);
                    backend.openCopyStream().fence().await();
                }
            }
            long lost = before - watch.memory().free();
            assertTrue(lost < 64 * MIB, lost + " bytes of device memory are gone");
        }
    }

    @Test
    void exhausted_memory_is_told_and_the_backend_works_on() {
        try (Backend backend = open(); Backend other = open()) {
            List<DeviceBuffer> taken = new ArrayList<>();
            OutOfDeviceMemoryException e = assertThrows(OutOfDeviceMemoryException.class, () -> {
                while (true) {
                    taken.add(other.allocate(Math.max(MIB, other.memory().free() / 2), 256));
                }
            });
            assertTrue(e.requested() >= MIB && e.free() >= 0, e::toString);
            long wanted = backend.memory().total();
            assertEquals(wanted, assertThrows(OutOfDeviceMemoryException.class, () -> backend.allocate(wanted, 256))
                    .requested());
            taken.forEach(DeviceBuffer::close);
            backend.allocate(16 * MIB, 256).close();
        }
    }

    @Test
    void sixteen_readers_fill_one_buffer_with_a_fence_a_block() throws Exception {
        int readers = 16;
        int blocks = 64;
        int block = 256 << 10;
        try (Backend backend = open(); DeviceBuffer buffer = backend.allocate((long) readers * blocks * block, 256);
                ExecutorService threads = Executors.newFixedThreadPool(readers)) {
            List<Future<?>> work = new ArrayList<>();
            for (int r = 0; r < readers; r++) {
                int reader = r;
                work.add(threads.submit(() -> read(backend, buffer, reader, blocks, block)));
            }
            for (Future<?> each : work) {
                each.get();
            }
            try (StagingBuffer back = backend.allocateStaging(buffer.byteSize());
                    CopyStream stream = backend.openCopyStream()) {
                stream.copyToHost(buffer, 0, back.segment());
                stream.synchronize();
                for (long at = 0; at < buffer.byteSize(); at += block) {
                    assertEquals((byte) (at / block), back.segment().get(ValueLayout.JAVA_BYTE, at + block - 1));
                }
            }
        }
    }

    /// How many copies of 64 MiB within the device take some milliseconds.
    protected int slowCopies() {
        return 200;
    }

    /// Queues so many copies within the device that the calls return long before them.
    private void keepBusy(long stream, DeviceBuffer one, DeviceBuffer two) {
        WordFunction copy = cuda.words("cuMemcpyDtoDAsync_v2");
        for (int i = 0; i < slowCopies(); i++) {
            assertEquals(0, (int) copy.call(two.handle().value(), one.handle().value(), one.byteSize(), stream));
        }
    }

    @Test
    void a_fence_behind_the_programs_own_stream_passes_after_its_work() {
        try (ContextBackend backend = assertInstanceOf(ContextBackend.class, open()); Arena arena = Arena.ofConfined();
                DeviceBuffer one = backend.allocate(64 * MIB, 256);
                DeviceBuffer two = backend.allocate(64 * MIB, 256)) {
            MemorySegment made = arena.allocate(ValueLayout.JAVA_LONG);
            backend.onDevice(() -> {
                call("cuStreamCreate", made.address(), 1);
                long own = made.get(ValueLayout.JAVA_LONG, 0);
                keepBusy(own, one, two);
                try (Fence fence = backend.fenceBehind(own)) {
                    fence.await();
                    // CUDA_SUCCESS, not CUDA_ERROR_NOT_READY: nothing that was submitted is left.
                    call("cuStreamQuery", own);
                    assertTrue(fence.isPassed());
                }
                try (Fence fence = backend.fenceBehind(0)) {
                    fence.await();
                }
                call("cuStreamDestroy_v2", own);
                return own;
            });
        }
    }

    /// The consumer keeps what it gets by copies on a stream of its own, which it never waits for. Each tensor's copy waits
    /// behind slow ones, so that its memory would be filled again long before.
    @Test
    void tensors_stay_until_the_consumers_own_stream_has_read_them(@TempDir Path directory) throws IOException {
        int tensors = 24;
        SafetensorsFixture file = SafetensorsFixture.create();
        for (int i = 0; i < tensors; i++) {
            byte[] content = new byte[MIB];
            Arrays.fill(content, (byte) (i + 1));
            file.tensor("t" + i, DType.U8, Shape.of(MIB), content);
        }
        Path model = file.write(directory.resolve("model.safetensors")).path();
        try (ContextBackend backend = assertInstanceOf(ContextBackend.class, open()); Arena arena = Arena.ofConfined();
                DeviceBuffer one = backend.allocate(64 * MIB, 256); DeviceBuffer two = backend.allocate(64 * MIB, 256);
                DeviceBuffer kept = backend.allocate((long) tensors * MIB, 256);
                Loader loader = Loader.builder().device(FIRST).backend("cuda").blockBytes(MIB).deviceBudget(8L * MIB)
                        .build();
                TensorStream stream = loader.stream(model, new StreamOptions(1, false))) {
            MemorySegment made = arena.allocate(ValueLayout.JAVA_LONG);
            backend.onDevice(() -> {
                call("cuStreamCreate", made.address(), 1);
                return true;
            });
            long own = made.get(ValueLayout.JAVA_LONG, 0);
            WordFunction copy = cuda.words("cuMemcpyDtoDAsync_v2");
            for (Tensor tensor : stream) {
                int number = Integer.parseInt(tensor.name().substring(1));
                backend.onDevice(() -> {
                    keepBusy(own, one, two);
                    return copy.call(kept.handle().value() + (long) number * MIB, tensor.address(), MIB, own);
                });
                tensor.releaseAfter(own);
            }
            try (StagingBuffer back = backend.allocateStaging(kept.byteSize());
                    CopyStream reader = backend.openCopyStream(); Fence last = backend.fenceBehind(own)) {
                reader.waitFor(last);
                reader.copyToHost(kept, 0, back.segment());
                reader.synchronize();
                for (int i = 0; i < tensors; i++) {
                    for (long at = (long) i * MIB; at < (i + 1L) * MIB; at += 4096) {
                        assertEquals((byte) (i + 1), back.segment().get(ValueLayout.JAVA_BYTE, at),
                                "tensor " + i + " was overwritten before it was read");
                    }
                }
            }
            backend.onDevice(() -> {
                call("cuStreamDestroy_v2", own);
                return true;
            });
        }
    }

    private static void read(Backend backend, DeviceBuffer buffer, int reader, int blocks, int block) {
        try (CopyStream stream = backend.openCopyStream();
                StagingBuffer first = backend.allocateStaging(block);
                StagingBuffer second = backend.allocateStaging(block)) {
            StagingBuffer[] slots = {first, second};
            Fence[] fences = new Fence[2];
            for (int i = 0; i < blocks; i++) {
                if (fences[i % 2] != null) {
                    fences[i % 2].await();
                    fences[i % 2].close();
                }
                int number = reader * blocks + i;
                slots[i % 2].segment().fill((byte) number);
                stream.copyToDevice(slots[i % 2].segment(), buffer, (long) number * block);
                fences[i % 2] = stream.fence();
            }
            stream.synchronize();
        }
    }
}
