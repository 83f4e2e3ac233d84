package io.fastsafetensors.backend.cpu.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Kernels;
import io.fastsafetensors.spi.Strided;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class KernelErrorsTest {
    private final Desk desk = new Desk();
    private final Kernels kernels = desk.backend.kernels();
    private final DeviceBuffer source = desk.allocate(64);
    private final DeviceBuffer target = desk.allocate(64);

    @AfterEach
    void close() {
        desk.close();
    }

    @Test
    void complex_converts_only_to_itself() {
        for (DType dtype : DType.values()) {
            assertTrue(kernels.supports(dtype, dtype));
            assertEquals(dtype == DType.C64, kernels.supports(DType.C64, dtype));
            assertEquals(dtype == DType.C64, kernels.supports(dtype, DType.C64));
        }
        assertThrows(UnsupportedFeatureException.class, () -> convert(64, DType.C64, 32, DType.F32, 8));
        assertThrows(UnsupportedFeatureException.class, () -> gather(DType.F32, DType.C64, 0, 8));
        convert(64, DType.C64, 64, DType.C64, 8);
    }

    @Test
    void sizes_must_fit() {
        assertThrows(IllegalArgumentException.class, () -> convert(8, DType.F16, 8, DType.F32, 4));
        assertThrows(IllegalArgumentException.class, () -> convert(10, DType.F16, 16, DType.F32, 4));
        assertThrows(IllegalArgumentException.class, () -> convert(8, DType.F16, 20, DType.F32, 4));
        assertThrows(IllegalArgumentException.class, () -> convert(0, DType.F16, 0, DType.F32, -4));
        assertThrows(IllegalArgumentException.class, () -> convert(2, DType.F4, 3, DType.U8, 3), "half a byte");
        assertThrows(IllegalArgumentException.class, () -> convert(8, DType.F64, 8, DType.F32, 1L << 61), "overflow");
        assertThrows(IllegalArgumentException.class,
                () -> gather(DType.F32, DType.F16, new Strided(Shape.of(4), 0, new long[] {1}), 6));
    }

    @Test
    void nothing_is_converted_in_place() {
        assertThrows(IllegalArgumentException.class, () -> kernels.convert(desk.stream, new BufferSlice(source, 0, 8),
                DType.F16, new BufferSlice(source, 7, 16), DType.F32, 4));
        kernels.convert(desk.stream, new BufferSlice(source, 0, 8), DType.F16, new BufferSlice(source, 8, 16),
                DType.F32, 4);
    }

    @Test
    void indices_must_be_inside() {
        gather(DType.F32, DType.F32, 15, 1);
        assertThrows(IllegalArgumentException.class, () -> gather(DType.F32, DType.F32, 16, 1));
        assertThrows(IllegalArgumentException.class, () -> gather(DType.F32, DType.F32, -1, 1));
        assertOutside(new Strided(Shape.of(4), 0, new long[] {6}));
        assertOutside(new Strided(Shape.of(4), 2, new long[] {-1}));
        assertOutside(new Strided(Shape.of(2, 2), 0, new long[] {15, 1}));
        assertOutside(new Strided(Shape.of(5), 0, new long[] {1L << 62}));
        assertOutside(new Strided(Shape.of(3, 2), 0, new long[] {Long.MAX_VALUE / 2, Long.MAX_VALUE / 2}));
        assertOutside(new Strided(Shape.of(2), Long.MAX_VALUE, new long[] {1}));
        kernels.gather(desk.stream, new BufferSlice(source, 0, 0), DType.F32,
                new Strided(Shape.of(0, 3), 99, new long[] {7, -7}), new BufferSlice(target, 0, 0), DType.F16);
    }

    @Test
    void too_many_elements_are_refused() {
        Strided view = new Strided(Shape.of(1L << 40, 1L << 40), 0, new long[] {0, 0});
        assertThrows(IllegalArgumentException.class, () -> gather(DType.F32, DType.F32, view, 64));
    }

    @Test
    void sub_byte_elements_are_not_gathered() {
        assertThrows(UnsupportedFeatureException.class, () -> gather(DType.F4, DType.F4, 0, 8));
        assertThrows(UnsupportedFeatureException.class, () -> gather(DType.F32, DType.F6_E2M3, 0, 8));
        assertThrows(UnsupportedFeatureException.class, () -> gather(DType.F6_E3M2, DType.F32, 0, 8));
    }

    @Test
    void closed_things_are_refused() {
        desk.stream.close();
        assertThrows(IllegalStateException.class, () -> convert(8, DType.F16, 16, DType.F32, 4));
        assertThrows(IllegalStateException.class, () -> gather(DType.F32, DType.F32, 0, 1));
        BufferSlice slice = new BufferSlice(source, 0, 8);
        source.close();
        assertThrows(IllegalStateException.class, () -> kernels.convert(desk.backend.openCopyStream(), slice,
                DType.F16, new BufferSlice(target, 0, 16), DType.F32, 4));
        assertFalse(target.segment().isEmpty());
    }

    private void assertOutside(Strided view) {
        assertThrows(IllegalArgumentException.class,
                () -> gather(DType.F32, DType.F32, view, 4 * view.shape().elements()), view.toString());
    }

    private void convert(long sourceBytes, DType from, long targetBytes, DType to, long elements) {
        kernels.convert(desk.stream, new BufferSlice(source, 0, sourceBytes), from,
                new BufferSlice(target, 0, targetBytes), to, elements);
    }

    private void gather(DType from, DType to, long offset, long elements) {
        gather(from, to, new Strided(Shape.of(elements), offset, new long[] {1}), to.byteSize(elements));
    }

    private void gather(DType from, DType to, Strided view, long targetBytes) {
        kernels.gather(desk.stream, BufferSlice.of(source), from, view, new BufferSlice(target, 0, targetBytes), to);
    }
}
