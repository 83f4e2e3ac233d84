package io.fastsafetensors.testkit;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.Capability;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Kernels;
import io.fastsafetensors.spi.ScaleGrid;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.spi.Strided;
import io.fastsafetensors.testkit.fixture.Seed;
import io.fastsafetensors.testkit.reference.DequantizationReference;
import io.fastsafetensors.testkit.reference.Elements;
import io.fastsafetensors.testkit.reference.ScalarReference;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.function.Predicate;
import java.util.random.RandomGenerator;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/// Conversion, bit for bit as [ScalarReference] does it (capability KERNELS).
abstract class ConversionRules extends RuleGroup {
    private static final DType[][] TAIL_PAIRS = {{DType.F32, DType.BF16}, {DType.BF16, DType.F32},
        {DType.F16, DType.F32}, {DType.F32, DType.F16}, {DType.F32, DType.F8_E4M3}, {DType.F8_E5M2, DType.BF16},
        {DType.U8, DType.F16}, {DType.F64, DType.F32}, {DType.I64, DType.F64}, {DType.F4, DType.BF16},
        {DType.F32, DType.F6_E3M2}, {DType.I16, DType.I16}, {DType.F6_E2M3, DType.F4}};

    ConversionRules(BackendConformance suite) {
        super(suite);
    }

    @Override
    void prepare() {
        bench.need(Capability.KERNELS);
    }

    /// Every pair without C64 is supported, and C64 to itself.
    ///
    /// If it fails: a backend with kernels brings all of them; one without does not claim KERNELS.
    @Test
    @DisplayName("K-01 every pair without C64 is supported")
    void k_01_every_pair_without_c64_is_supported() {
        Kernels kernels = bench.backend.kernels();
        assertAll(Arrays.stream(DType.values()).flatMap(from -> Arrays.stream(DType.values())
                .filter(to -> ScalarReference.converts(from, to))
                .map(to -> () -> assertTrue(kernels.supports(from, to), () -> from + " to " + to))));
    }

    /// Equal dtypes are copied bit for bit, NaN payloads and odd BOOL bytes included.
    ///
    /// If it fails: copy; do not decode.
    @TestFactory
    @DisplayName("K-02 equal dtypes are copied bit for bit")
    Stream<DynamicTest> k_02_equal_dtypes_are_copied_bit_for_bit() {
        return Arrays.stream(DType.values()).map(dtype -> test(dtype, dtype));
    }

    /// Every code of every dtype of up to 8 bits, to every other dtype.
    ///
    /// If it fails: the message has the code; a table of 256 entries is the simplest right answer. Sub-byte elements are
    /// packed from the low bits up.
    @TestFactory
    @DisplayName("K-03 every code of up to 8 bits converts right")
    Stream<DynamicTest> k_03_every_code_of_up_to_8_bits_converts_right() {
        return tests(from -> from.bits() <= 8);
    }

    /// Every code of every 16-bit dtype, to every other dtype.
    ///
    /// If it fails: subnormals, ties and NaN payloads are where it goes wrong; do not use the float16 instructions of
    /// the host or the JDK without looking at their NaN.
    @TestFactory
    @DisplayName("K-04 every code of 16 bits converts right")
    Stream<DynamicTest> k_04_every_code_of_16_bits_converts_right() {
        return tests(from -> from.bits() == 16);
    }

    /// F32 and F64: specials, every value of the narrower target and the middles between, whole numbers and halves,
    /// random bits; to every other dtype.
    ///
    /// If it fails: do not go from F64 through F32 (it rounds twice); overflow is decided after rounding; compilers
    /// flush subnormals when they are asked for speed.
    @TestFactory
    @DisplayName("K-05 wide floats round once, to nearest even")
    Stream<DynamicTest> k_05_wide_floats_round_once_to_nearest_even() {
        return tests(from -> from.isFloat() && from.bits() > 16);
    }

    /// 32-bit and 64-bit integers: limits, powers of two, ties of every precision, random bits; to every other dtype.
    ///
    /// If it fails: 64-bit integers have more bits than F64; convert them without a stop there.
    @TestFactory
    @DisplayName("K-06 wide integers saturate, and round once to floats")
    Stream<DynamicTest> k_06_wide_integers_saturate_and_round_once_to_floats() {
        return tests(from -> !from.isFloat() && from.bits() > 16);
    }

    /// Any number of elements at any element-aligned offset; what lies around the target stays.
    ///
    /// If it fails: look at what vector code does with the last few elements.
    @TestFactory
    @DisplayName("K-07 every number of elements converts, and nothing around them")
    Stream<DynamicTest> k_07_every_number_of_elements_converts_and_nothing_around_them() {
        return Arrays.stream(TAIL_PAIRS).map(pair -> DynamicTest.dynamicTest(pair[0] + " to " + pair[1],
                () -> checkCounts(pair[0], pair[1])));
    }

    /// More elements than a grid of threads or a block of the loader holds.
    ///
    /// If it fails: look at the loop over the grid, and at index arithmetic in 32 bits.
    @Test
    @DisplayName("K-08 millions of elements convert")
    void k_08_millions_of_elements_convert() {
        int count = bench.effort == Effort.FULL ? (4 << 20) + 5 : 100_005;
        byte[] source = Workbench.bytes(random(), count * 4);
        compare(source, DType.F32, DType.BF16, count);
    }

    /// Source and target may be slices of one buffer, far into it, as long as they do not overlap.
    ///
    /// If it fails: as G-10.
    @Test
    @DisplayName("K-12 source and target may lie in one buffer")
    void k_12_source_and_target_may_lie_in_one_buffer() {
        int far = 17 << 20;
        int count = 1000;
        byte[] bytes = Workbench.bytes(random(), count * 4);
        byte[] expected = new byte[count * 2];
        ScalarReference.convert(MemorySegment.ofArray(bytes), DType.F32, MemorySegment.ofArray(expected), DType.BF16,
                count);
        DeviceBuffer buffer = bench.allocate(far + 20_000);
        long[][] places = {{64, 8192}, {8192, 64}, {far, 100 << 10}, {100 << 10, far + 8192}, {far + 8192, far}};
        try (CopyStream stream = bench.backend.openCopyStream()) {
            for (long[] place : places) {
                bench.upload(bytes, buffer, place[0]);
                bench.backend.kernels().convert(stream, new BufferSlice(buffer, place[0], bytes.length), DType.F32,
                        new BufferSlice(buffer, place[1], expected.length), DType.BF16, count);
                Workbench.settle(stream);
                assertBytes(expected, bench.download(buffer, place[1], expected.length),
                        "a conversion from " + place[0] + " to " + place[1] + " of one buffer");
                assertBytes(bytes, bench.download(buffer, place[0], bytes.length), "its source");
            }
            int odd = (1 << 24) + 1;
            byte[] small = new byte[1000];
            for (int i = 0; i < small.length; i++) {
                small[i] = (byte) (i * 7 & 0x7F);
            }
            bench.upload(small, buffer, odd);
            bench.backend.kernels().convert(stream, new BufferSlice(buffer, odd, 1000), DType.U8,
                    new BufferSlice(buffer, odd + 8192, 1000), DType.I8, 1000);
            Workbench.settle(stream);
            assertBytes(small, bench.download(buffer, odd + 8192, 1000), "a conversion at an odd place");
        }
    }

    /// A conversion is ordered with the copies of its stream, without fences between.
    ///
    /// If it fails: launch the kernel on the stream's own queue.
    @Test
    @DisplayName("K-09 conversions stay in the order of their stream")
    void k_09_conversions_stay_in_the_order_of_their_stream() {
        int count = 1 << 20;
        byte[] bytes = Workbench.bytes(random(), count * 2);
        byte[] expected = new byte[count * 4];
        ScalarReference.convert(MemorySegment.ofArray(bytes), DType.BF16, MemorySegment.ofArray(expected), DType.F32,
                count);
        StagingBuffer there = bench.staged(bytes);
        StagingBuffer back = bench.staging(expected.length);
        DeviceBuffer source = bench.allocate(bytes.length);
        DeviceBuffer target = bench.allocate(expected.length);
        try (CopyStream stream = bench.backend.openCopyStream()) {
            stream.copyToDevice(there.segment(), source, 0);
            bench.backend.kernels().convert(stream, BufferSlice.of(source), DType.BF16, BufferSlice.of(target),
                    DType.F32, count);
            stream.copyToHost(target, 0, back.segment());
            stream.copyToDevice(back.segment().asSlice(0, 16), source, 0);
            Workbench.settle(stream);
        }
        assertBytes(expected, back.segment().toArray(ValueLayout.JAVA_BYTE), "copied, converted, copied");
    }

    /// C64 converts only to itself: other pairs are not supported, and asking throws [UnsupportedFeatureException].
    ///
    /// If it fails: there is no agreed way to drop an imaginary part; say no.
    @Test
    @DisplayName("K-10 C64 converts only to itself")
    void k_10_c64_converts_only_to_itself() {
        Kernels kernels = bench.backend.kernels();
        BufferSlice source = BufferSlice.of(bench.upload(new byte[64]));
        BufferSlice target = BufferSlice.of(bench.upload(new byte[32]));
        assertFalse(kernels.supports(DType.C64, DType.F32), "C64 to F32 is supported");
        assertFalse(kernels.supports(DType.F32, DType.C64), "F32 to C64 is supported");
        try (CopyStream stream = bench.backend.openCopyStream()) {
            assertThrows(UnsupportedFeatureException.class,
                    () -> kernels.convert(stream, source, DType.C64, target, DType.F32, 8));
            assertThrows(UnsupportedFeatureException.class, () -> kernels.gather(stream, source, DType.C64,
                    new Strided(Shape.of(8), 0, new long[] {1}), target, DType.F32), "a gather");
        }
    }

    /// No elements are no work: nothing is written, nothing is refused.
    ///
    /// If it fails: drivers refuse a launch of no threads; return first.
    @Test
    @DisplayName("K-11 no elements are no work")
    void k_11_no_elements_are_no_work() {
        DeviceBuffer source = bench.upload(new byte[8]);
        DeviceBuffer target = bench.upload(Workbench.filler(8));
        try (CopyStream stream = bench.backend.openCopyStream()) {
            bench.backend.kernels().convert(stream, new BufferSlice(source, 8, 0), DType.F32,
                    new BufferSlice(target, 4, 0), DType.F16, 0);
            Workbench.settle(stream);
        }
        assertBytes(Workbench.filler(8), bench.download(target), "the target of no elements");
    }

    /// What a backend de-quantises itself it multiplies as the reference does: every code of the elements, scales of every
    /// size and kind, blocks of rows and columns whose ends lie anywhere, and any first element.
    ///
    /// If it fails: round the product to F32 before it is rounded again; keep subnormal numbers; every NaN is the positive
    /// quiet one. A backend that does not multiply returns false from `dequantizes`, and the host does it.
    @TestFactory
    @DisplayName("K-13 products of de-quantisation are the reference's")
    Stream<DynamicTest> k_13_products_of_de_quantisation_are_the_references() {
        return Arrays.stream(DType.values()).filter(from -> from.bits() <= 8)
                .flatMap(from -> Stream.of(DType.BF16, DType.F16, DType.F32)
                        .map(to -> DynamicTest.dynamicTest(from + " to " + to, () -> {
                            Assumptions.assumeTrue(bench.backend.kernels().dequantizes(from, to),
                                    () -> "the host de-quantises " + from + " to " + to);
                            checkProducts(from, to);
                        })));
    }

    private void checkProducts(DType from, DType to) {
        RandomGenerator random = Seed.random("products of " + from + " to " + to);
        int rounds = bench.effort == Effort.FULL ? 40 : 8;
        for (int round = 0; round < rounds; round++) {
            long columns = round == 0 ? 4096 : random.nextInt(1, 300) * (round % 2 == 0 ? 8 : 1);
            long rows = random.nextInt(1, 40);
            long blockColumns = random.nextInt(4) == 0 ? columns
                    : Math.min(columns, round % 2 == 0 ? 8L << random.nextInt(5) : random.nextInt(1, 140));
            long blockRows = random.nextInt(1, (int) rows + 1);
            long rowStride = Math.ceilDiv(columns, blockColumns);
            ScaleGrid grid = round == 1 ? ScaleGrid.single() : new ScaleGrid(columns, rows, blockRows, blockColumns,
                    rowStride, random.nextBoolean() ? 0 : rowStride * Math.ceilDiv(rows, blockRows));
            long first = random.nextInt((int) (columns * rows * 2)) / 2 * 2L;
            int count = random.nextInt(1, 5000) * 2;
            checkProducts(from, to, grid, first, count, random);
        }
    }

    private void checkProducts(DType from, DType to, ScaleGrid grid, long first, int count, RandomGenerator random) {
        long firstScale = grid.lowestScale(first, count);
        int scales = (int) (grid.highestScale(first, count) - firstScale + 1);
        int elementBytes = Math.toIntExact(from.byteSize(count));
        int scalesAt = Math.ceilDiv(elementBytes, 16) * 16;
        byte[] bytes = new byte[scalesAt + scales * Float.BYTES];
        random.nextBytes(bytes);
        MemorySegment source = MemorySegment.ofArray(bytes);
        for (int s = 0; s < scales; s++) {
            // Plain ones, and those whose products are subnormal, infinite or no numbers.
            int usual = Float.floatToRawIntBits((float) Math.scalb(random.nextDouble() - 0.5, random.nextInt(-12, 12)));
            int bits = random.nextInt(4) != 0 ? usual : random.nextInt(8) == 0 ? 0x7F80_0000 : random.nextInt();
            Elements.set(source, DType.F32, scalesAt / Float.BYTES + s, bits);
        }
        for (int i = 0; to != DType.F32 && i < count; i++) {
            long s = grid.scaleOf(first + i) - firstScale;
            float element = Float.intBitsToFloat((int) ScalarReference.convert(from, Elements.get(source, from, i),
                    DType.F32));
            if (s % 2 == 1 && random.nextInt(16) == 0 && Math.abs(element) > 0 && Float.isFinite(element)) {
                Elements.set(source, DType.F32, scalesAt / Float.BYTES + s,
                        Float.floatToRawIntBits(scaleBesideMidpoint(element, to, random)));
            }
        }
        byte[] expected = new byte[Math.toIntExact(to.byteSize(count))];
        DequantizationReference.multiply(source, from, source.asSlice(scalesAt), grid, first, firstScale,
                MemorySegment.ofArray(expected), to, count);
        byte[] actual;
        try (DeviceBuffer sourceBuffer = bench.upload(bytes); DeviceBuffer target = bench.allocate(expected.length);
                CopyStream stream = bench.backend.openCopyStream()) {
            bench.backend.kernels().dequantize(stream, new BufferSlice(sourceBuffer, 0, elementBytes), from,
                    new BufferSlice(sourceBuffer, scalesAt, (long) scales * Float.BYTES), grid, first, firstScale,
                    BufferSlice.of(target), to);
            Workbench.settle(stream);
            actual = bench.download(target);
        }
        if (!Arrays.equals(expected, actual)) {
            failAtFirst(bytes, from, expected, actual, to, count);
        }
    }

    /// A scale whose product with the element lies above the middle of two numbers, by so little that F32 rounds it to
    /// the middle: who does not stop at F32 rounds the other way.
    private static float scaleBesideMidpoint(float element, DType to, RandomGenerator random) {
        int fraction = to == DType.BF16 ? 7 : 10;
        long evenNumber = (1L << fraction) + 2L * random.nextInt(1 << (fraction - 1));
        double middle = Math.scalb(2.0 * evenNumber + 1, random.nextInt(-fraction - 8, -fraction + 8));
        double magnitude = Math.abs(element);
        float scale = (float) (middle / magnitude);
        return scale * magnitude > middle ? scale : Math.nextUp(scale);
    }

    private Stream<DynamicTest> tests(Predicate<DType> sources) {
        return Arrays.stream(DType.values()).filter(sources).flatMap(from -> Arrays.stream(DType.values())
                .filter(to -> from != to && ScalarReference.converts(from, to)).map(to -> test(from, to)));
    }

    private DynamicTest test(DType from, DType to) {
        return DynamicTest.dynamicTest(from + " to " + to, () -> {
            long[] raw = Patterns.of(from, to, Seed.random(from + " to " + to), bench.effort);
            compare(Elements.pack(from, raw), from, to, raw.length);
        });
    }

    private void compare(byte[] source, DType from, DType to, int count) {
        needPair(from, to);
        byte[] expected = new byte[Math.toIntExact(to.byteSize(count))];
        ScalarReference.convert(MemorySegment.ofArray(source), from, MemorySegment.ofArray(expected), to, count);
        byte[] actual;
        try (DeviceBuffer sourceBuffer = bench.upload(source);
                DeviceBuffer target = bench.allocate(expected.length);
                CopyStream stream = bench.backend.openCopyStream()) {
            bench.backend.kernels().convert(stream, BufferSlice.of(sourceBuffer), from, BufferSlice.of(target), to,
                    count);
            Workbench.settle(stream);
            actual = bench.download(target);
        }
        if (!Arrays.equals(expected, actual)) {
            failAtFirst(source, from, expected, actual, to, count);
        }
    }

    private static void failAtFirst(byte[] source, DType from, byte[] expected, byte[] actual, DType to, int count) {
        int wrong = 0;
        String first = "";
        for (int i = 0; i < count; i++) {
            long should = Elements.get(MemorySegment.ofArray(expected), to, i);
            long is = Elements.get(MemorySegment.ofArray(actual), to, i);
            if (should != is && wrong++ == 0) {
                first = String.format("element %d: %s 0x%X to %s is 0x%X, should be 0x%X", i, from,
                        Elements.get(MemorySegment.ofArray(source), from, i), to, is, should);
            }
        }
        fail(wrong + " of " + count + " wrong; " + first + Seed.note());
    }

    private void checkCounts(DType from, DType to) {
        needPair(from, to);
        RandomGenerator random = random();
        for (int count = 1; count <= 67; count++) {
            boolean sampled = bench.effort == Effort.FULL || count < 5 || count % 11 == 1 || count % 32 == 0;
            if (!sampled || count * from.bits() % 8 != 0 || count * to.bits() % 8 != 0) {
                continue;
            }
            byte[] source = Workbench.bytes(random, (int) from.byteSize(count));
            int sourceAt = from.alignment() * random.nextInt(9);
            int targetAt = to.alignment() * random.nextInt(9);
            byte[] room = Workbench.filler(sourceAt + source.length);
            System.arraycopy(source, 0, room, sourceAt, source.length);
            byte[] expected = Workbench.filler(targetAt + (int) to.byteSize(count) + 40);
            MemorySegment target = MemorySegment.ofArray(expected).asSlice(targetAt, to.byteSize(count));
            ScalarReference.convert(MemorySegment.ofArray(source), from, target, to, count);
            try (DeviceBuffer sourceBuffer = bench.upload(room);
                    DeviceBuffer targetBuffer = bench.upload(Workbench.filler(expected.length));
                    CopyStream stream = bench.backend.openCopyStream()) {
                bench.backend.kernels().convert(stream, new BufferSlice(sourceBuffer, sourceAt, source.length), from,
                        new BufferSlice(targetBuffer, targetAt, to.byteSize(count)), to, count);
                Workbench.settle(stream);
                assertBytes(expected, bench.download(targetBuffer), count + " elements at " + targetAt);
            }
        }
    }

    private void needPair(DType from, DType to) {
        if (!bench.backend.kernels().supports(from, to)) {
            Assumptions.abort(from + " to " + to + " is not supported; see rule K-01");
        }
    }
}
