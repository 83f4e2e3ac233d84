package io.fastsafetensors.core.shard;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.error.SliceException;
import io.fastsafetensors.error.SliceException.Reason;
import io.fastsafetensors.spi.Strided;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import io.fastsafetensors.types.Slice;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

class SliceViewTest {
    private static SliceView slice(Shape shape, Slice... slices) {
        return SliceView.of("t", DType.F32, shape, slices);
    }

    private static Reason refused(DType dtype, Shape shape, Slice... slices) {
        return assertThrows(SliceException.class, () -> SliceView.of("t", dtype, shape, slices)).reason();
    }

    @Test
    void the_whole_is_contiguous() {
        SliceView view = slice(Shape.of(2, 3));
        assertTrue(view.contiguous());
        assertEquals(24, view.byteSize());
        assertEquals(Shape.of(2, 3), view.shape());
    }

    @Test
    void rows_are_views_and_columns_are_gathered() {
        SliceView rows = slice(Shape.of(4, 3), Slice.range(1, 3));
        assertTrue(rows.contiguous());
        assertEquals(12, rows.byteOffset());
        SliceView columns = slice(Shape.of(4, 3), Slice.all(), Slice.to(2));
        assertFalse(columns.contiguous());
        assertEquals(Shape.of(4, 2), columns.shape());
    }

    @Test
    void an_index_drops_its_dimension() {
        assertEquals(Shape.of(3), slice(Shape.of(2, 3), Slice.at(-1)).shape());
        assertEquals(Shape.of(), slice(Shape.of(2, 3), Slice.at(1), Slice.at(2)).shape());
        assertEquals(20, slice(Shape.of(2, 3), Slice.at(1), Slice.at(2)).byteOffset());
    }

    @Test
    void the_reference_refuses_the_same() {
        assertEquals(Reason.TOO_MANY_SLICES, refused(DType.F32, Shape.of(2, 3), Slice.at(0), Slice.at(0), Slice.at(0)));
        SliceException e = assertThrows(SliceException.class,
                () -> slice(Shape.of(2, 3), Slice.at(1), Slice.range(1, 4)));
        assertEquals(Reason.SLICE_OUT_OF_RANGE, e.reason());
        assertTrue(e.getMessage().contains("index 3 of dimension 1, which has the size 3"), e.getMessage());
        assertEquals(Reason.SLICE_OUT_OF_RANGE, refused(DType.F32, Shape.of(2, 3), Slice.all(), Slice.range(3, 2)));
        assertEquals(Reason.SLICE_OUT_OF_RANGE, refused(DType.F32, Shape.of(0), Slice.at(0)));
        assertEquals(Reason.SLICE_OUT_OF_RANGE, refused(DType.F32, Shape.of(3), Slice.at(-4)));
        assertEquals(Reason.MISALIGNED_SLICE, refused(DType.F4, Shape.of(1, 2), Slice.all(), Slice.to(1)));
    }

    @Test
    void sub_byte_slices_on_whole_bytes_work() {
        SliceView row = SliceView.of("t", DType.F4, Shape.of(4, 6), Slice.at(2));
        assertTrue(row.contiguous());
        assertEquals(6, row.byteOffset());
        assertEquals(3, row.byteSize());
        SliceView columns = SliceView.of("t", DType.F4, Shape.of(4, 6), Slice.all(), Slice.range(2, 6));
        assertFalse(columns.contiguous());
        assertEquals(8, columns.byteSize());
        assertEquals(new Strided(Shape.of(4, 2), 1, new long[] {3, 1}), columns.view());
        assertEquals(Reason.MISALIGNED_SLICE, refused(DType.F4, Shape.of(4, 6), Slice.all(), Slice.every(2)));
        assertEquals(Reason.MISALIGNED_SLICE, refused(DType.F6_E2M3, Shape.of(4, 4), Slice.all(), Slice.range(1, 3)));
    }

    @Test
    void empty_results_are_contiguous() {
        SliceView view = slice(Shape.of(3, 4), Slice.range(1, 1), Slice.every(2));
        assertTrue(view.contiguous());
        assertEquals(0, view.byteSize());
        assertEquals(Shape.of(0, 2), view.shape());
    }

    @Test
    void every_slice_takes_what_python_would() {
        long seed = Long.getLong("fst.seed", System.nanoTime());
        RandomGenerator random = new Random(seed);
        for (int round = 0; round < 2000; round++) {
            long size = random.nextInt(1, 9);
            long step = random.nextInt(1, 4) * (random.nextBoolean() ? 1 : -1);
            long start = random.nextInt(4) == 0 ? Slice.OPEN : random.nextLong(-size, size);
            long stop = random.nextInt(4) == 0 ? Slice.OPEN : random.nextLong(-size, size);
            SliceView view = slice(Shape.of(size), Slice.range(start, stop, step));
            String message = "seed " + seed + ": " + start + ":" + stop + ":" + step + " of " + size;
            assertEquals(python(size, start, stop, step), indices(view), message);
        }
    }

    private static List<Long> indices(SliceView view) {
        List<Long> all = new ArrayList<>();
        for (long i = 0; i < view.shape().dim(0); i++) {
            all.add(view.view().offset() + i * view.view().stride(0));
        }
        return all;
    }

    private static List<Long> python(long size, long start, long stop, long step) {
        long from = start == Slice.OPEN ? step > 0 ? 0 : size - 1 : start < 0 ? start + size : start;
        long to = stop == Slice.OPEN ? step > 0 ? size : -1 : stop < 0 ? stop + size : stop;
        List<Long> all = new ArrayList<>();
        for (long i = from; step > 0 ? i < to : i > to; i += step) {
            all.add(i);
        }
        return all;
    }
}
