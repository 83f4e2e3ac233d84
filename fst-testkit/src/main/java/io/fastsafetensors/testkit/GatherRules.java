package io.fastsafetensors.testkit;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.Capability;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Strided;
import io.fastsafetensors.testkit.reference.ScalarReference;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.lang.foreign.MemorySegment;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/// Strided gather, byte for byte as [ScalarReference] does it (capability KERNELS).
abstract class GatherRules extends RuleGroup {
    private static final DType[] EVERY_WIDTH = {DType.U8, DType.F16, DType.F32, DType.C64, DType.I64};
    private static final DType[][] PAIRS = {{DType.F32, DType.BF16}, {DType.BF16, DType.F32},
        {DType.F16, DType.F8_E4M3}, {DType.I64, DType.F64}, {DType.F64, DType.F16}, {DType.BOOL, DType.I32}};

    GatherRules(BackendConformance suite) {
        super(suite);
    }

    @Override
    void prepare() {
        bench.need(Capability.KERNELS);
    }

    /// A contiguous view is a copy, for every width of elements.
    ///
    /// If it fails: strides and the offset count elements, not bytes.
    @Test
    @DisplayName("G-01 a contiguous view is copied")
    void g_01_a_contiguous_view_is_copied() {
        for (DType dtype : EVERY_WIDTH) {
            check(dtype, dtype, new Strided(Shape.of(7, 5, 3), 11, new long[] {15, 3, 1}), 200);
        }
    }

    /// A slice of an inner dimension: rows of a matrix, each cut, which is what sharding asks for.
    ///
    /// If it fails: the distance between rows is the stride, not the length of a row of the result.
    @Test
    @DisplayName("G-02 an inner dimension can be cut")
    void g_02_an_inner_dimension_can_be_cut() {
        for (DType dtype : EVERY_WIDTH) {
            check(dtype, dtype, new Strided(Shape.of(40, 17), 5, new long[] {50, 1}), 2000);
            check(dtype, dtype, new Strided(Shape.of(6, 30, 4), 0, new long[] {330, 11, 2}), 2000);
        }
    }

    /// Negative strides walk backwards.
    ///
    /// If it fails: index arithmetic is signed, in 64 bits.
    @Test
    @DisplayName("G-03 strides may be negative")
    void g_03_strides_may_be_negative() {
        for (DType dtype : EVERY_WIDTH) {
            check(dtype, dtype, new Strided(Shape.of(33), 99, new long[] {-3}), 100);
            check(dtype, dtype, new Strided(Shape.of(5, 8), 79, new long[] {-16, -2}), 80);
        }
    }

    /// A stride of 0 repeats.
    ///
    /// If it fails: a stride of 0 is no sign of an empty or a contiguous dimension.
    @Test
    @DisplayName("G-04 strides may be zero")
    void g_04_strides_may_be_zero() {
        for (DType dtype : EVERY_WIDTH) {
            check(dtype, dtype, new Strided(Shape.of(6, 9), 3, new long[] {0, 2}), 40);
            check(dtype, dtype, new Strided(Shape.of(4, 4), 9, new long[] {2, 0}), 40);
        }
    }

    /// A scalar view takes one element; a view without elements writes nothing.
    ///
    /// If it fails: rank 0 has one element, a dimension of 0 has none.
    @Test
    @DisplayName("G-05 scalars and empty views work")
    void g_05_scalars_and_empty_views_work() {
        check(DType.F32, DType.F32, new Strided(Shape.of(), 7, new long[0]), 9);
        check(DType.F32, DType.F32, new Strided(Shape.of(3, 0, 2), 0, new long[] {2, 2, 1}), 9);
    }

    /// Any view: random shapes up to rank 6, random strides of any sign, any width.
    ///
    /// If it fails: the message has shape, offset and strides.
    @Test
    @DisplayName("G-06 any view of any rank works")
    void g_06_any_view_of_any_rank_works() {
        RandomGenerator random = random();
        for (int round = 0; round < (bench.effort == Effort.FULL ? 300 : 25); round++) {
            DType dtype = EVERY_WIDTH[random.nextInt(EVERY_WIDTH.length)];
            int elements = 300 + random.nextInt(3000);
            check(dtype, dtype, randomView(random, elements), elements);
        }
    }

    /// Gathering and converting at once gives what one after the other gives.
    ///
    /// If it fails: strides count elements of the source's dtype, the target is filled with elements of its own.
    @Test
    @DisplayName("G-07 a gather can convert on the way")
    void g_07_a_gather_can_convert_on_the_way() {
        RandomGenerator random = random();
        for (DType[] pair : PAIRS) {
            for (int round = 0; round < (bench.effort == Effort.FULL ? 10 : 3); round++) {
                check(pair[0], pair[1], randomView(random, 900), 900);
            }
        }
    }

    /// A large view: more elements than a grid of threads.
    ///
    /// If it fails: as K-08.
    @Test
    @DisplayName("G-08 a large view works")
    void g_08_a_large_view_works() {
        long rows = bench.effort == Effort.FULL ? 2000 : 200;
        check(DType.BF16, DType.BF16, new Strided(Shape.of(rows, 500), 250, new long[] {1000, 1}), (int) rows * 1000);
        // Distances of more than 16 bits.
        check(DType.U8, DType.U8, new Strided(Shape.of(9, 3), 7, new long[] {100_003, 70_001}), 1_100_000);
    }

    /// Sub-byte dtypes are refused: the caller slices them as bytes.
    ///
    /// If it fails: an element that starts inside a byte has no address; refuse with [IllegalArgumentException] or
    /// [io.fastsafetensors.error.UnsupportedFeatureException].
    @Test
    @DisplayName("G-09 sub-byte dtypes are not gathered")
    void g_09_sub_byte_dtypes_are_not_gathered() {
        DeviceBuffer source = bench.upload(Workbench.bytes(random(), 48));
        DeviceBuffer target = bench.upload(Workbench.filler(48));
        Strided view = new Strided(Shape.of(8), 0, new long[] {1});
        try (CopyStream stream = bench.backend.openCopyStream()) {
            for (DType dtype : new DType[] {DType.F4, DType.F6_E2M3, DType.F6_E3M2}) {
                RuntimeException refused = assertThrows(RuntimeException.class, () -> bench.backend.kernels()
                        .gather(stream, BufferSlice.of(source), dtype, view, new BufferSlice(target, 0, dtype.bits()),
                                dtype));
                assertTrue(
                        refused instanceof IllegalArgumentException || refused instanceof UnsupportedFeatureException,
                        () -> dtype + " is refused with " + refused);
            }
            Workbench.settle(stream);
        }
        assertBytes(Workbench.filler(48), bench.download(target), "the target of a refused gather");
    }

    /// Source and target may be slices of one buffer, far into it, as long as they do not overlap.
    ///
    /// If it fails: a slice is its buffer's handle and an offset of 64 bits; both count.
    @Test
    @DisplayName("G-10 source and target may lie in one buffer")
    void g_10_source_and_target_may_lie_in_one_buffer() {
        int far = 17 << 20;
        byte[] bytes = Workbench.bytes(random(), 4000);
        DeviceBuffer buffer = bench.allocate(far + 20_000);
        Strided view = new Strided(Shape.of(50, 9), 10, new long[] {19, -1});
        byte[] expected = new byte[50 * 9 * 2];
        ScalarReference.gather(MemorySegment.ofArray(bytes), DType.F32, view, MemorySegment.ofArray(expected),
                DType.BF16);
        long[][] places = {{64, 8192}, {8192, 64}, {far, 100 << 10}, {100 << 10, far + 8192}, {far + 8192, far}};
        try (CopyStream stream = bench.backend.openCopyStream()) {
            for (long[] place : places) {
                bench.upload(bytes, buffer, place[0]);
                bench.backend.kernels().gather(stream, new BufferSlice(buffer, place[0], bytes.length), DType.F32, view,
                        new BufferSlice(buffer, place[1], expected.length), DType.BF16);
                Workbench.settle(stream);
                assertBytes(expected, bench.download(buffer, place[1], expected.length),
                        "a gather from " + place[0] + " to " + place[1] + " of one buffer");
                assertBytes(bytes, bench.download(buffer, place[0], bytes.length), "its source");
            }
            int odd = (1 << 24) + 1;
            byte[] small = new byte[1000];
            for (int i = 0; i < small.length; i++) {
                small[i] = (byte) (i * 7 & 0x7F);
            }
            bench.upload(small, buffer, odd);
            bench.backend.kernels().gather(stream, new BufferSlice(buffer, odd, 1000), DType.U8,
                    new Strided(Shape.of(1000), 0, new long[] {1}), new BufferSlice(buffer, odd + 8192, 1000),
                    DType.I8);
            Workbench.settle(stream);
            assertBytes(small, bench.download(buffer, odd + 8192, 1000), "a gather at an odd place");
        }
    }

    /// A view that stays inside a source of so many elements.
    private static Strided randomView(RandomGenerator random, int elements) {
        int rank = 1 + random.nextInt(6);
        long[] dims = new long[rank];
        long[] strides = new long[rank];
        long low = 0;
        long high = 0;
        for (int d = 0; d < rank; d++) {
            dims[d] = 1L + random.nextInt(rank > 3 ? 4 : 12);
            long most = (elements - 1L - (high - low)) / Math.max(1, dims[d] - 1) / (rank - d);
            strides[d] = most == 0 ? 0 : random.nextLong(-most, most + 1);
            long reach = strides[d] * (dims[d] - 1);
            low += Math.min(0, reach);
            high += Math.max(0, reach);
        }
        long offset = -low + random.nextLong(elements - (high - low));
        return new Strided(Shape.of(dims), offset, strides);
    }

    /// Gathers on the device, from inside a larger buffer into the middle of another, and compares everything.
    private void check(DType from, DType to, Strided view, int elements) {
        byte[] bytes = Workbench.bytes(random(), (int) from.byteSize(elements));
        int lead = 64;
        byte[] room = Workbench.filler(lead + bytes.length);
        System.arraycopy(bytes, 0, room, lead, bytes.length);
        long size = to.byteSize(view.shape().elements());
        byte[] expected = Workbench.filler((int) (lead + size + lead));
        ScalarReference.gather(MemorySegment.ofArray(bytes), from, view,
                MemorySegment.ofArray(expected).asSlice(lead, size), to);
        try (DeviceBuffer source = bench.upload(room);
                DeviceBuffer target = bench.upload(Workbench.filler(expected.length));
                CopyStream stream = bench.backend.openCopyStream()) {
            bench.backend.kernels().gather(stream, new BufferSlice(source, lead, bytes.length), from, view,
                    new BufferSlice(target, lead, size), to);
            Workbench.settle(stream);
            assertBytes(expected, bench.download(target), from + " to " + to + ", " + view);
        }
    }
}
