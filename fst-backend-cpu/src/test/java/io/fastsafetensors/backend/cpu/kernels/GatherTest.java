package io.fastsafetensors.backend.cpu.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Strided;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/// Gathers against the definition: element by element, index by index.
class GatherTest {
    private static final List<DType> WHOLE_BYTES = Desk.CONVERTIBLE.stream().filter(d -> !d.isSubByte()).toList();

    private final RandomGenerator random = Seed.generator();

    @Test
    void any_view_of_any_dtype_is_gathered() {
        try (Desk desk = new Desk()) {
            for (int i = 0; i < 1500; i++) {
                DType from = WHOLE_BYTES.get(random.nextInt(WHOLE_BYTES.size()));
                DType to = random.nextBoolean() ? from : WHOLE_BYTES.get(random.nextInt(WHOLE_BYTES.size()));
                long smallest = i % 10 == 0 ? 0 : 1;
                long[] dims = random.longs(random.nextInt(6), smallest, smallest + 6).toArray();
                long[] strides = random.nextBoolean() ? slice(dims) : random.longs(dims.length, -9, 10).toArray();
                check(desk, from, new Strided(Shape.of(dims), 0, strides), to);
            }
        }
    }

    @Test
    void long_lines_and_runs_are_gathered() {
        try (Desk desk = new Desk()) {
            for (long[] strides : new long[][] {{3000, 1}, {3000, -1}, {1, 1}, {0, 2}, {5, 0}, {2500, 1}, {-1, 3}}) {
                check(desk, DType.F16, new Strided(Shape.of(3, 2500), 0, strides), DType.F32);
                check(desk, DType.F32, new Strided(Shape.of(3, 2500), 0, strides), DType.BF16);
                check(desk, DType.C64, new Strided(Shape.of(3, 2500), 0, strides), DType.C64);
            }
        }
    }

    /// Short contiguous runs far apart: the shards of an inner dimension.
    @Test
    void short_runs_are_gathered() {
        try (Desk desk = new Desk()) {
            for (DType dtype : new DType[] {DType.U8, DType.BF16, DType.F32, DType.F64}) {
                for (long run = 1; run <= 9; run++) {
                    check(desk, dtype, new Strided(Shape.of(7, 5, run), 0, new long[] {200, 20, 1}), dtype);
                }
            }
        }
    }

    /// Elements next to each other along another dimension than the innermost one, more and fewer of them than are gathered
    /// part by part.
    @Test
    void permuted_dimensions_are_gathered() {
        try (Desk desk = new Desk()) {
            for (DType from : new DType[] {DType.U8, DType.BF16, DType.F32, DType.F64}) {
                for (DType to : new DType[] {from, DType.F16}) {
                    for (int i = 0; i < 12; i++) {
                        long[] dims = new long[2 + random.nextInt(3)];
                        Arrays.fill(dims, 1 + random.nextInt(3));
                        dims[random.nextInt(dims.length)] = 7 + random.nextInt(140);
                        dims[random.nextInt(dims.length)] = 7 + random.nextInt(140);
                        check(desk, from, new Strided(Shape.of(dims), 0, permuted(dims)), to);
                    }
                    check(desk, from, new Strided(Shape.of(130, 70), 0, new long[] {1, 131}), to);
                    check(desk, from, new Strided(Shape.of(70, 260), 0, new long[] {1, -71}), to);
                }
            }
        }
    }

    /// Strides of a contiguous tensor whose dimensions come in any order.
    private long[] permuted(long[] dims) {
        List<Integer> order = new ArrayList<>(IntStream.range(0, dims.length).boxed().toList());
        Collections.shuffle(order, new Random(random.nextLong()));
        long[] strides = new long[dims.length];
        long step = 1;
        for (int d : order) {
            strides[d] = step;
            step *= dims[d];
        }
        return strides;
    }

    /// Strides of a box with steps inside a larger one.
    private long[] slice(long[] dims) {
        long[] strides = new long[dims.length];
        long block = 1;
        for (int d = dims.length - 1; d >= 0; d--) {
            long step = random.nextInt(3) == 0 ? 2 : 1;
            strides[d] = random.nextInt(5) == 0 ? -block * step : block * step;
            block *= Math.max(dims[d], 1) * step + random.nextInt(2);
        }
        return strides;
    }

    /// Moves the view so that it begins a little inside the source, and compares.
    private void check(Desk desk, DType from, Strided view, DType to) {
        long elements = view.shape().elements();
        long margin = random.nextInt(3);
        long offset = elements == 0 ? 0 : margin - view.lowest();
        long available = elements == 0 ? 1 : view.highest() - view.lowest() + 1 + 2 * margin;
        Strided inside = new Strided(view.shape(), offset, view.strides());
        long sourceBytes = from.byteSize(available);
        try (DeviceBuffer source = desk.allocate(sourceBytes + 3);
                DeviceBuffer target = desk.allocate(to.byteSize(elements) + 5)) {
            for (long i = 0; i < source.byteSize(); i++) {
                Bits.set(Desk.memory(source), i, DType.U8, 0, random.nextInt(256));
            }
            BufferSlice input = new BufferSlice(source, 3, sourceBytes);
            BufferSlice output = new BufferSlice(target, 5, to.byteSize(elements));
            desk.backend.kernels().gather(desk.stream, input, from, inside, output, to);
            for (long i = 0; i < elements; i++) {
                long raw = Bits.get(Desk.memory(source), 3, from, indexOf(inside, i));
                long expected = from == to ? raw : Oracle.convert(from, raw, to);
                assertEquals(expected, Bits.get(Desk.memory(target), 5, to, i),
                        () -> from + " to " + to + " of " + inside + Seed.note());
            }
        }
    }

    private static long indexOf(Strided view, long element) {
        long index = view.offset();
        long left = element;
        for (int d = view.shape().rank() - 1; d >= 0; d--) {
            index += left % view.shape().dim(d) * view.stride(d);
            left /= view.shape().dim(d);
        }
        return index;
    }
}
