package io.fastsafetensors.backend.cpu.kernels;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.backend.cpu.CpuBackendProvider;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Kernels;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.spi.Strided;
import io.fastsafetensors.spi.base.ForwardingBackend;
import io.fastsafetensors.spi.base.ForwardingBuffer;
import io.fastsafetensors.spi.base.ForwardingStaging;
import io.fastsafetensors.spi.kernel.FallbackKernels;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Shape;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/// Kernels on the host for memory that the host cannot address: the same bits as those of memory that it can.
class FallbackKernelsTest {
    /// Host memory that looks like a device's.
    private static final class Far extends ForwardingBackend {
        private int open;

        Far() {
            super(new CpuBackendProvider().open(Device.CPU, BackendOptions.defaults()));
        }

        @Override
        public DeviceBuffer allocate(long bytes, long alignment) {
            return new ForwardingBuffer(this, super.allocate(bytes, alignment)) {
                @Override
                public Optional<MemorySegment> segment() {
                    return Optional.empty();
                }
            };
        }

        @Override
        public StagingBuffer allocateStaging(long bytes) {
            open++;
            return new ForwardingStaging(super.allocateStaging(bytes)) {
                @Override
                public void close() {
                    open--;
                    super.close();
                }
            };
        }
    }

    private final Far far = new Far();
    private final CopyStream stream = far.openCopyStream();
    private final Kernels kernels = new FallbackKernels(far::allocateStaging);
    private final RandomGenerator random = Seed.generator();

    @AfterEach
    void close() {
        stream.close();
        far.close();
    }

    private DeviceBuffer put(byte[] bytes) {
        DeviceBuffer buffer = far.allocate(bytes.length, 1);
        stream.copyToDevice(MemorySegment.ofArray(bytes), buffer, 0);
        return buffer;
    }

    private byte[] get(DeviceBuffer buffer) {
        byte[] bytes = new byte[(int) buffer.byteSize()];
        stream.copyToHost(buffer, 0, MemorySegment.ofArray(bytes));
        return bytes;
    }

    private byte[] randomBytes(long count) {
        byte[] bytes = new byte[(int) count];
        random.nextBytes(bytes);
        return bytes;
    }

    /// More than one round of staging memory, with guards around the target.
    @Test
    void large_conversions_have_the_bits_of_the_cpu() {
        long elements = (2 << 20) / 8 * 2 + 24;
        for (DType[] pair : new DType[][] {{DType.F32, DType.BF16}, {DType.F4, DType.F32}, {DType.F32, DType.F6_E2M3},
            {DType.F64, DType.F8_E4M3}, {DType.U8, DType.U8}}) {
            byte[] raw = randomBytes(pair[0].byteSize(elements));
            long bytes = pair[1].byteSize(elements);
            byte[] expected = new byte[(int) bytes];
            try (Desk desk = new Desk(); DeviceBuffer from = desk.allocate(raw.length);
                    DeviceBuffer to = desk.allocate(bytes)) {
                Desk.memory(from).copyFrom(MemorySegment.ofArray(raw));
                desk.backend.kernels().convert(desk.stream, BufferSlice.of(from), pair[0], BufferSlice.of(to), pair[1],
                        elements);
                MemorySegment.copy(Desk.memory(to), ValueLayout.JAVA_BYTE, 0, expected, 0, expected.length);
            }
            byte[] around = randomBytes(bytes + 7);
            try (DeviceBuffer from = put(raw); DeviceBuffer to = put(around)) {
                kernels.convert(stream, BufferSlice.of(from), pair[0], new BufferSlice(to, 3, bytes), pair[1],
                        elements);
                System.arraycopy(expected, 0, around, 3, expected.length);
                assertArrayEquals(around, get(to), () -> List.of(pair) + Seed.note());
            }
        }
        assertEquals(1, far.open, "one slot is kept");
    }

    /// Views that fit the staging memory at once, and views that have to be cut.
    @Test
    void gathers_have_the_bits_of_the_cpu() {
        byte[] raw = randomBytes(9 << 20);
        List<Strided> views = new ArrayList<>(List.of(new Strided(Shape.of(5, 7), 3, new long[] {100, 9}),
                new Strided(Shape.of(), 77, new long[0]), new Strided(Shape.of(0, 4), 0, new long[] {1, 1}),
                new Strided(Shape.of(3, 300_000), 10, new long[] {700_000, 2}),
                new Strided(Shape.of(1, 1, 1 << 20), (1 << 20) - 1, new long[] {0, 5, -1}),
                new Strided(Shape.of(4, 2, 3), 0, new long[] {500_000, 260_000, 130_000}),
                new Strided(Shape.of(2, 600_000), 0, new long[] {0, 1})));
        for (Strided view : views) {
            for (DType to : List.of(DType.F16, DType.F32, DType.I64)) {
                long elements = view.shape().elements();
                byte[] expected = new byte[(int) to.byteSize(elements)];
                try (Desk desk = new Desk(); DeviceBuffer from = desk.allocate(raw.length);
                        DeviceBuffer target = desk.allocate(expected.length)) {
                    Desk.memory(from).copyFrom(MemorySegment.ofArray(raw));
                    desk.backend.kernels().gather(desk.stream, BufferSlice.of(from), DType.F16, view,
                            BufferSlice.of(target), to);
                    MemorySegment.copy(Desk.memory(target), ValueLayout.JAVA_BYTE, 0, expected, 0, expected.length);
                }
                try (DeviceBuffer from = put(raw); DeviceBuffer target = far.allocate(expected.length, 1)) {
                    kernels.gather(stream, BufferSlice.of(from), DType.F16, view, BufferSlice.of(target), to);
                    assertArrayEquals(expected, get(target), () -> view + " to " + to + Seed.note());
                }
            }
        }
    }

    @Test
    void a_backends_own_pairs_are_left_to_it() {
        List<String> asked = new ArrayList<>();
        Kernels own = new Kernels() {
            @Override
            public boolean supports(DType from, DType to) {
                return from == DType.F32 && to == DType.F16;
            }

            @Override
            public void convert(CopyStream on, BufferSlice source, DType from, BufferSlice target, DType to,
                    long elements) {
                asked.add(from + " to " + to);
            }

            @Override
            public void gather(CopyStream on, BufferSlice source, DType from, Strided view, BufferSlice target,
                    DType to) {
                asked.add("gather " + from + " to " + to);
            }
        };
        Kernels both = new FallbackKernels(far::allocateStaging, own);
        try (DeviceBuffer from = put(new byte[] {0, 0, (byte) 0x80, 0x3f}); DeviceBuffer to = put(new byte[2])) {
            both.convert(stream, BufferSlice.of(from), DType.F32, BufferSlice.of(to), DType.F16, 1);
            Strided view = new Strided(Shape.of(1), 0, new long[] {1});
            both.gather(stream, BufferSlice.of(from), DType.F32, view, BufferSlice.of(to), DType.F16);
            assertEquals(List.of("F32 to F16", "gather F32 to F16"), asked);
            both.convert(stream, BufferSlice.of(from), DType.F32, BufferSlice.of(to), DType.BF16, 1);
            assertArrayEquals(new byte[] {(byte) 0x80, 0x3f}, get(to));
        }
        assertTrue(both.supports(DType.F64, DType.I8));
    }

    @Test
    void what_no_backend_converts_is_refused_before_anything_moves() {
        try (DeviceBuffer buffer = put(new byte[64]); DeviceBuffer other = put(new byte[64])) {
            assertThrows(UnsupportedFeatureException.class, () -> kernels.convert(stream, BufferSlice.of(buffer),
                    DType.C64, BufferSlice.of(other), DType.F64, 8));
            assertThrows(IllegalArgumentException.class,
                    () -> kernels.convert(stream, BufferSlice.of(buffer), DType.F32,
                            BufferSlice.of(other), DType.F16, 16));
            assertThrows(IllegalArgumentException.class,
                    () -> kernels.convert(stream, new BufferSlice(buffer, 0, 8), DType.F16,
                            new BufferSlice(buffer, 7, 16), DType.F32, 4));
            assertThrows(IllegalArgumentException.class, () -> kernels.gather(stream, BufferSlice.of(buffer), DType.F32,
                    new Strided(Shape.of(2), 15, new long[] {1}), new BufferSlice(other, 0, 8), DType.F32));
        }
        assertEquals(0, far.open, "no staging memory was taken");
    }
}
