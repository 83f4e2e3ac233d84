package io.fastsafetensors.gpu.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.ScaleGrid;
import io.fastsafetensors.spi.Strided;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.DeviceHandle;
import io.fastsafetensors.types.Shape;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/// The plans of kernels, and the refusals. The work of the planned calls is checked where the source is compiled.
class KernelPlanTest {
    private static final int COUNT_AT = 164;
    private final DeviceBuffer source = new Buffer(1L << 40);
    private final DeviceBuffer target = new Buffer(1L << 40);

    /// A size, and no memory.
    private static final class Buffer implements DeviceBuffer {
        private final long byteSize;

        Buffer(long byteSize) {
            this.byteSize = byteSize;
        }

        @Override
        public long byteSize() {
            return byteSize;
        }

        @Override
        public DeviceHandle handle() {
            throw new AssertionError("planning touches no memory");
        }

        @Override
        public Optional<MemorySegment> segment() {
            throw new AssertionError("planning touches no memory");
        }

        @Override
        public void close() {
            throw new AssertionError("planning closes nothing");
        }
    }

    @Test
    void common_pairs_have_functions_of_their_own() {
        assertEquals("fst_f32_to_bf16", convert(DType.F32, DType.BF16, 100).getFirst().function());
        assertEquals("fst_f8_e4m3_to_f16", convert(DType.F8_E4M3, DType.F16, 100).getFirst().function());
        assertEquals("fst_narrow_32_16", convert(DType.I32, DType.BF16, 1024).getFirst().function());
        assertEquals("fst_table_4_16", convert(DType.F4, DType.BF16, 1024).getFirst().function());
        assertEquals("fst_wide_64_32", convert(DType.I64, DType.F32, 1024).getFirst().function());
        assertEquals("fst_convert", convert(DType.I32, DType.BF16, 100).getFirst().function());
        assertEquals("fst_copy", convert(DType.F4, DType.F4, 100).getFirst().function());
    }

    @Test
    void every_planned_function_is_listed_once() {
        HashSet<String> planned = new HashSet<>();
        for (DType from : DType.values()) {
            for (DType to : DType.values()) {
                if (KernelPlan.supports(from, to)) {
                    planned.add(convert(from, to, 1024).getFirst().function());
                    planned.add(convert(from, to, 16).getFirst().function());
                }
            }
        }
        for (int size = 1; size <= 16; size *= 2) {
            Strided view = new Strided(Shape.of(4, 3, size), 0, new long[] {1024, 64, 1});
            planned.add(gather(DType.U8, view, DType.U8).getFirst().function());
            Strided transposed = new Strided(Shape.of(32, 64, size), 0, new long[] {size, 32L * size, 1});
            planned.add(gather(DType.U8, transposed, DType.U8).getFirst().function());
        }
        for (DType dtype : new DType[] {DType.U8, DType.F16, DType.F32, DType.F64}) {
            Strided reversed = new Strided(Shape.of(64), 63, new long[] {-1});
            planned.add(gather(dtype, reversed, dtype).getFirst().function());
        }
        planned.add(KernelPlan.dequantize(new BufferSlice(source, 0, 16), DType.F8_E4M3, new BufferSlice(source, 64, 4),
                ScaleGrid.single(), 0, 0, new BufferSlice(target, 0, 32), DType.BF16).getFirst().function());
        assertEquals(planned, new HashSet<>(KernelPlan.functions()));
        assertEquals(planned.size(), KernelPlan.functions().size());
    }

    @Test
    void columns_of_a_matrix_are_one_call_of_a_wide_function() {
        Strided columns = new Strided(Shape.of(4096, 1376), 2752, new long[] {11008, 1});
        assertEquals(List.of("fst_copy"), functions(gather(DType.BF16, columns, DType.BF16)));
        assertEquals(List.of("fst_f32_to_bf16"), functions(gather(DType.F32, columns, DType.BF16)));
        Strided threeDeep = new Strided(Shape.of(8, 64, 128), 0, new long[] {1 << 20, 1024, 1});
        assertEquals(List.of("fst_gather_16"), functions(gather(DType.BF16, threeDeep, DType.BF16)));
    }

    @Test
    void offsets_count_from_the_start_of_the_buffer() {
        KernelCall call = KernelPlan.convert(new BufferSlice(source, 300, 40), DType.F32,
                new BufferSlice(target, 700, 20), DType.BF16, 10).getFirst();
        assertEquals(300, call.sourceOffset());
        assertEquals(700, call.targetOffset());
        KernelCall gathered = KernelPlan.gather(new BufferSlice(source, 300, 400), DType.F32,
                new Strided(Shape.of(5), 99, new long[] {-3}), new BufferSlice(target, 700, 20), DType.F32).getFirst();
        assertEquals(300 + 99 * 4, gathered.sourceOffset());
        assertEquals(700, gathered.targetOffset());
    }

    /// Indices in the kernels have 32 bits.
    @Test
    void what_is_too_much_for_one_call_is_cut() {
        long count = 5 * (1L << 30) + 7;
        for (DType[] pair : new DType[][] {{DType.F32, DType.BF16}, {DType.I32, DType.U8}, {DType.U8, DType.U8}}) {
            List<KernelCall> calls = convert(pair[0], pair[1], count);
            long done = 0;
            for (KernelCall call : calls) {
                assertEquals(done * pair[0].bits() / 8, call.sourceOffset());
                assertEquals(done * pair[1].bits() / 8, call.targetOffset());
                done += count(call);
            }
            assertEquals(count, done);
        }
        Strided rows = new Strided(Shape.of(3000, 1 << 20), 0, new long[] {2 << 20, 1});
        for (DType to : new DType[] {DType.BF16, DType.F32, DType.I8}) {
            long done = 0;
            for (KernelCall call : gather(DType.BF16, rows, to)) {
                assertEquals(done * 2 * 2, call.sourceOffset(), "half of each row is skipped");
                assertEquals(done * to.bits() / 8, call.targetOffset());
                done += to == DType.BF16 ? count(call) / 2 : count(call);
            }
            assertEquals(3000L << 20, done);
        }
    }

    @Test
    void views_of_many_dimensions_are_cut() {
        long[] dims = new long[12];
        long[] strides = new long[12];
        for (int d = 0; d < 12; d++) {
            dims[d] = 2;
            strides[d] = 3L << (2 * (11 - d));
        }
        List<KernelCall> calls = gather(DType.F32, new Strided(Shape.of(dims), 0, strides), DType.F32);
        assertEquals(4096, calls.stream().mapToLong(KernelPlanTest::count).sum());
        assertEquals(calls.size(), calls.stream().map(KernelCall::targetOffset).distinct().count());
    }

    @Test
    void nothing_is_planned_for_no_elements() {
        assertEquals(List.of(), convert(DType.F32, DType.F16, 0));
        assertEquals(List.of(), gather(DType.F32, new Strided(Shape.of(0, 3), 9, new long[] {-7, 1}), DType.F16));
    }

    /// An element of 2 bytes cannot be aligned at an odd byte.
    @Test
    void elements_before_and_after_the_units_are_converted_one_by_one() {
        assertEquals(List.of("fst_convert", "fst_narrow_16_8", "fst_convert"), functions(KernelPlan.convert(
                new BufferSlice(source, 14, 2004), DType.I16, new BufferSlice(target, 7, 1002), DType.U8, 1002)));
        assertEquals(List.of("fst_convert"), functions(KernelPlan.convert(new BufferSlice(source, 15, 2002), DType.I16,
                new BufferSlice(target, 8, 1001), DType.U8, 1001)));
    }

    @Test
    void dropped_items_are_read_only_where_the_buffer_has_them() {
        Strided everyOther = new Strided(Shape.of(64), 0, new long[] {2});
        for (int size : new int[] {254, 256}) {
            DeviceBuffer buffer = new Buffer(size);
            assertEquals(List.of(size == 256 ? "fst_pick_2" : "fst_gather_2"), functions(KernelPlan.gather(
                    new BufferSlice(buffer, 0, 254), DType.F16, everyOther, new BufferSlice(target, 0, 128),
                    DType.F16)));
        }
    }

    @Test
    void parameters_are_the_callers_own() {
        KernelCall call = convert(DType.F32, DType.F16, 8).getFirst();
        assertEquals(224, call.parameters().length);
        assertNotSame(call.parameters(), call.parameters());
        assertTrue(call.groups() >= 1 && call.groupSize() >= 1, call.toString());
    }

    @Test
    void sizes_must_fit() {
        refuse(8, DType.F16, 8, DType.F32, 4);
        refuse(10, DType.F16, 16, DType.F32, 4);
        refuse(8, DType.F16, 20, DType.F32, 4);
        refuse(0, DType.F16, 0, DType.F32, -4);
        refuse(2, DType.F4, 3, DType.U8, 3);
        refuse(8, DType.F64, 8, DType.F32, 1L << 61);
    }

    @Test
    void nothing_is_converted_in_place() {
        assertThrows(IllegalArgumentException.class, () -> KernelPlan.convert(new BufferSlice(source, 0, 8), DType.F16,
                new BufferSlice(source, 7, 16), DType.F32, 4));
        assertEquals(1, KernelPlan.convert(new BufferSlice(source, 0, 8), DType.F16, new BufferSlice(source, 8, 16),
                DType.F32, 4).size());
    }

    @Test
    void indices_must_be_inside() {
        refuse(new Strided(Shape.of(4), 0, new long[] {6}));
        refuse(new Strided(Shape.of(4), 2, new long[] {-1}));
        refuse(new Strided(Shape.of(2, 2), 0, new long[] {15, 1}));
        refuse(new Strided(Shape.of(5), 0, new long[] {1L << 62}));
        refuse(new Strided(Shape.of(3, 2), 0, new long[] {Long.MAX_VALUE / 2, Long.MAX_VALUE / 2}));
        refuse(new Strided(Shape.of(2), Long.MAX_VALUE, new long[] {1}));
        assertThrows(IllegalArgumentException.class, () -> KernelPlan.gather(new BufferSlice(source, 0, 64), DType.F32,
                new Strided(Shape.of(1L << 40, 1L << 40), 0, new long[] {0, 0}), BufferSlice.of(target), DType.F32));
    }

    @Test
    void unsupported_pairs_are_refused() {
        assertThrows(UnsupportedFeatureException.class, () -> convert(DType.C64, DType.F32, 8));
        Strided view = new Strided(Shape.of(8), 0, new long[] {1});
        assertThrows(UnsupportedFeatureException.class, () -> gather(DType.F4, view, DType.F4));
        assertThrows(UnsupportedFeatureException.class, () -> gather(DType.F32, view, DType.F6_E2M3));
    }

    private void refuse(long sourceBytes, DType from, long targetBytes, DType to, long elements) {
        assertThrows(IllegalArgumentException.class, () -> KernelPlan.convert(new BufferSlice(source, 0, sourceBytes),
                from, new BufferSlice(target, 0, targetBytes), to, elements));
    }

    private void refuse(Strided view) {
        assertThrows(IllegalArgumentException.class, () -> KernelPlan.gather(new BufferSlice(source, 0, 64), DType.F32,
                view, new BufferSlice(target, 0, 4 * view.shape().elements()), DType.F32), view.toString());
    }

    private List<KernelCall> convert(DType from, DType to, long elements) {
        return KernelPlan.convert(new BufferSlice(source, 0, from.byteSize(elements)), from,
                new BufferSlice(target, 0, to.byteSize(elements)), to, elements);
    }

    private List<KernelCall> gather(DType from, Strided view, DType to) {
        return KernelPlan.gather(BufferSlice.of(source), from, view,
                new BufferSlice(target, 0, to.byteSize(view.shape().elements())), to);
    }

    private static List<String> functions(List<KernelCall> calls) {
        return calls.stream().map(KernelCall::function).toList();
    }

    private static long count(KernelCall call) {
        return ByteBuffer.wrap(call.parameters()).order(ByteOrder.LITTLE_ENDIAN).getInt(COUNT_AT);
    }
}
