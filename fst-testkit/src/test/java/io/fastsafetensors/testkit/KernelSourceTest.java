package io.fastsafetensors.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.gpu.kernel.KernelPlan;
import io.fastsafetensors.spi.Strided;
import io.fastsafetensors.testkit.fixture.Seed;
import io.fastsafetensors.testkit.kernel.KernelLibrary;
import io.fastsafetensors.testkit.reference.ScalarReference;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.random.RandomGenerator;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// The shared kernels, compiled as C, give the bytes of the scalar reference.
class KernelSourceTest {
    private static final Set<DType> FLOATS = Set.of(DType.F64, DType.F32, DType.F16, DType.BF16, DType.F8_E4M3,
            DType.F8_E5M2);
    private static final DType[] EVERY_SIZE = {DType.U8, DType.BF16, DType.F32, DType.C64};
    private static final DType[][] CONVERSIONS = {{DType.F32, DType.BF16}, {DType.BF16, DType.F32},
        {DType.F16, DType.F8_E4M3}, {DType.F8_E5M2, DType.F32}, {DType.F16, DType.BF16}, {DType.F64, DType.F16},
        {DType.I64, DType.F64}, {DType.BOOL, DType.I32}};

    @TempDir
    static Path directory;
    private static KernelLibrary library;

    private final RandomGenerator random = Seed.random("kernels");
    private final KernelTrials trials = new KernelTrials(library, random);

    @BeforeAll
    static void compile() {
        library = new KernelLibrary(KernelLibrary.compile(directory, "-O2"));
    }

    @Test
    void the_table_has_every_function() {
        assertEquals(Set.copyOf(KernelPlan.functions()), Set.copyOf(library.table()));
        assertEquals(KernelPlan.functions().size(), library.table().size());
    }

    /// Every code of up to 16 bits, and the edges of wider ones, to every dtype; the functions for common pairs are
    /// tried with aligned and with shifted units, and element by element.
    @ParameterizedTest
    @EnumSource(DType.class)
    void every_pair_converts(DType from) {
        targets(from).forEach(to -> {
            long[] raw = Patterns.of(from, to, random, Effort.FULL);
            trials.convert(from, raw, to, 0, 0);
            if (FLOATS.contains(from) && FLOATS.contains(to)) {
                trials.convert(from, raw, to, 3, 0);
                trials.convert(from, raw, to, 0, 1);
            }
        });
    }

    @ParameterizedTest
    @EnumSource(DType.class)
    void any_count_at_any_byte_converts(DType from) {
        targets(from).forEach(to -> {
            for (int round = 0; round < 60; round++) {
                int granule = from.isSubByte() || to.isSubByte() ? 4 : 1;
                int count = granule * random.nextInt(round < 50 ? 100 / granule : 6000);
                trials.convert(from, to, count, random.nextInt(40), random.nextInt(40));
            }
        });
    }

    @ParameterizedTest
    @EnumSource(value = DType.class, names = {"F4", "F6_E2M3", "F6_E3M2"}, mode = EnumSource.Mode.EXCLUDE)
    void any_view_is_gathered(DType dtype) {
        for (int round = 0; round < 60; round++) {
            int elements = 300 + random.nextInt(3000);
            trials.gather(dtype, trials.view(10, elements), elements, dtype, random.nextInt(20), random.nextInt(20));
        }
    }

    @Test
    void any_view_is_converted() {
        for (DType[] pair : CONVERSIONS) {
            for (int round = 0; round < 60; round++) {
                int elements = 300 + random.nextInt(3000);
                trials.gather(pair[0], trials.view(9, elements), elements, pair[1], random.nextInt(20),
                        random.nextInt(20));
            }
        }
    }

    @Test
    void columns_are_gathered() {
        for (DType dtype : EVERY_SIZE) {
            for (int round = 0; round < 60; round++) {
                columns(dtype, dtype);
            }
        }
        for (DType[] pair : CONVERSIONS) {
            for (int round = 0; round < 60; round++) {
                columns(pair[0], pair[1]);
            }
        }
    }

    /// Lines long enough for units, at places where both sides can be aligned and where they cannot.
    @Test
    void units_of_any_pair_begin_anywhere() {
        for (DType from : DType.values()) {
            targets(from).filter(to -> to != from).forEach(to -> {
                for (int round = 0; round < 6; round++) {
                    int granule = from.isSubByte() || to.isSubByte() ? 4 : 1;
                    int count = granule * ((256 + random.nextInt(round < 5 ? 300 : 3000)) / granule);
                    int grain = 1 << random.nextInt(5);
                    trials.convert(from, to, count, grain * random.nextInt(9), grain * random.nextInt(9));
                }
            });
        }
        assertTrue(trials.functions().containsAll(KernelPlan.pairFunctions()), trials.functions() + Seed.note());
    }

    @Test
    void columns_of_any_pair_are_gathered() {
        for (DType from : DType.values()) {
            targets(from).filter(to -> to != from && !from.isSubByte() && !to.isSubByte()).forEach(to -> {
                for (int round = 0; round < 6; round++) {
                    columns(from, to);
                }
            });
        }
    }

    /// Permuted dimensions of a tensor whose rows may be longer than what is taken; items of 16 bytes come from rows of
    /// two C64.
    @Test
    void transposed_views_are_gathered() {
        for (DType dtype : new DType[] {DType.U8, DType.BF16, DType.F32, DType.F64, DType.C64}) {
            for (int round = 0; round < 60; round++) {
                transposed(dtype);
            }
        }
        for (int size = 1; size <= 16; size *= 2) {
            assertTrue(trials.functions().contains("fst_transpose_" + size), trials.functions() + Seed.note());
        }
    }

    private void transposed(DType dtype) {
        int pair = dtype == DType.C64 ? 2 : 1;
        int around = random.nextInt(4);
        int grain = 1 << random.nextInt(3);
        long[] sizes = new long[around + 2];
        for (int d = 0; d < sizes.length; d++) {
            sizes[d] = d < around ? 1 + random.nextInt(3) : grain * (8L + random.nextInt(150 / grain));
        }
        // Of the source, outermost first; the rows are the last but one.
        long[] strides = new long[sizes.length];
        strides[around + 1] = pair;
        strides[around] = pair * sizes[around + 1] + pair * grain * random.nextInt(3);
        for (int d = around - 1; d >= 0; d--) {
            strides[d] = strides[d + 1] * sizes[d + 1];
        }
        int elements = Math.toIntExact(Math.max(strides[0] * sizes[0], strides[around] * sizes[around]));
        List<Integer> order = new ArrayList<>();
        for (int d = 0; d <= around + 1; d++) {
            if (d != around) {
                order.add(d);
            }
        }
        Collections.shuffle(order, new Random(random.nextLong()));
        order.add(around);
        long[] dims = new long[sizes.length + pair - 1];
        long[] steps = new long[dims.length];
        for (int d = 0; d < sizes.length; d++) {
            dims[d] = sizes[order.get(d)];
            steps[d] = strides[order.get(d)];
        }
        if (pair == 2) {
            dims[sizes.length] = 2;
            steps[sizes.length] = 1;
        }
        boolean aligned = random.nextBoolean();
        trials.gather(dtype, new Strided(Shape.of(dims), 0, steps), elements, dtype,
                aligned ? 16 * random.nextInt(3) : random.nextInt(33), aligned ? 16 * random.nextInt(3)
                        : random.nextInt(33));
    }

    @Test
    void reversed_rows_and_every_other_item_are_gathered() {
        for (DType dtype : EVERY_SIZE) {
            for (int round = 0; round < 60; round++) {
                picked(dtype);
            }
        }
        for (int size = 1; size <= 8; size *= 2) {
            assertTrue(trials.functions().contains("fst_pick_" + size), trials.functions() + Seed.note());
        }
    }

    private void picked(DType dtype) {
        int grain = random.nextInt(4) == 0 ? 1 : 16;
        int spread = 1 + random.nextInt(2);
        boolean reversed = spread == 1 || random.nextBoolean();
        int columns = grain * (2 + random.nextInt(9));
        int phase = random.nextInt(spread);
        int rows = 1 + random.nextInt(5);
        int width = columns * spread + (random.nextBoolean() ? 16 * random.nextInt(3) : random.nextInt(3));
        int last = phase + (columns - 1) * spread;
        // The source may end with the last item that is taken.
        int elements = random.nextBoolean() ? (rows - 1) * width + last + 1 : rows * width;
        trials.gather(dtype, new Strided(Shape.of(rows, columns), reversed ? last : phase,
                new long[] {width, reversed ? -spread : spread}), elements, dtype,
                random.nextInt(4) == 0 ? random.nextInt(33) : 16 * random.nextInt(3),
                random.nextInt(4) == 0 ? random.nextInt(33) : 16 * random.nextInt(3));
    }

    /// Mostly of many elements that divide well, since those take the paths for wide rows.
    private void columns(DType from, DType to) {
        int grain = 1 << random.nextInt(6);
        int columns = grain * (1 + random.nextInt(20));
        int column = grain * random.nextInt(4);
        int width = column + columns + grain * random.nextInt(4);
        int sourceAt = random.nextBoolean() ? 0 : random.nextInt(33);
        int targetAt = random.nextBoolean() ? 16 * random.nextInt(3) : random.nextInt(33);
        trials.columns(from, to, 1 + random.nextInt(40), width, column, columns, sourceAt, targetAt);
    }

    private static Stream<DType> targets(DType from) {
        return Arrays.stream(DType.values()).filter(to -> ScalarReference.converts(from, to));
    }
}
