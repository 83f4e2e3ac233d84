package io.fastsafetensors.backend.cpu.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.fastsafetensors.types.DType;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Every element of every dtype of at most 16 bits, to every dtype.
class NarrowConversionTest {
    @ParameterizedTest
    @EnumSource(DType.class)
    void every_element_converts(DType from) {
        if (from.bits() > 16) {
            return;
        }
        long[] all = LongStream.range(0, 1L << from.bits()).toArray();
        try (Desk desk = new Desk()) {
            for (DType to : Desk.CONVERTIBLE) {
                desk.check(from, all, to);
            }
        }
    }

    @ParameterizedTest
    @EnumSource(value = DType.class, names = {"F4", "F6_E2M3", "F6_E3M2", "BOOL", "F8_E4M3"})
    void any_order_and_count_converts(DType from) {
        RandomGenerator random = Seed.generator();
        try (Desk desk = new Desk()) {
            for (DType to : Desk.CONVERTIBLE) {
                for (int count : new int[] {0, 8, 2040, 2048, 2056, 4104}) {
                    long[] raw = IntStream.range(0, count).mapToLong(i -> random.nextLong(1L << from.bits())).toArray();
                    desk.check(from, raw, to);
                }
            }
        }
    }

    /// Figures from the formats' papers, so that table and oracle are not wrong in the same way.
    @Test
    void known_values_convert() {
        assertKnown(DType.F8_E4M3, 0x7E, DType.F32, Float.floatToRawIntBits(448));
        assertKnown(DType.F8_E4M3, 0x01, DType.F32, Float.floatToRawIntBits(0x1p-9f));
        assertKnown(DType.F8_E5M2, 0x7B, DType.F32, Float.floatToRawIntBits(57344));
        assertKnown(DType.F8_E4M3FNUZ, 0x7F, DType.F32, Float.floatToRawIntBits(240));
        assertKnown(DType.F8_E5M2FNUZ, 0x7F, DType.F32, Float.floatToRawIntBits(57344));
        assertKnown(DType.F6_E2M3, 0x1F, DType.F32, Float.floatToRawIntBits(7.5f));
        assertKnown(DType.F6_E3M2, 0x1F, DType.F32, Float.floatToRawIntBits(28));
        assertKnown(DType.F4, 0x7, DType.F32, Float.floatToRawIntBits(6));
        assertKnown(DType.F8_E8M0, 0, DType.F32, 0x0040_0000);
        assertKnown(DType.F16, 0x7C01, DType.F32, 0x7FC0_2000);
        assertKnown(DType.F16, 0xFC01, DType.BF16, 0xFFC0);
        assertKnown(DType.F32, 0xFFC0_0000L, DType.F8_E4M3FNUZ, 0x80);
        assertKnown(DType.F32, 0x7F80_0000L, DType.F8_E4M3, 0x7E);
        assertKnown(DType.F32, 0x7F80_0000L, DType.F8_E8M0, 0xFF);
        assertKnown(DType.F32, 0x8000_0000L, DType.F8_E5M2FNUZ, 0);
        assertKnown(DType.F32, Float.floatToRawIntBits(65520), DType.F16, 0x7C00);
        assertKnown(DType.F32, Float.floatToRawIntBits(65519), DType.F16, 0x7BFF);
        assertKnown(DType.F64, Double.doubleToRawLongBits(-2.5), DType.I8, 0xFE);
        assertKnown(DType.U64, (1L << 24) + 1, DType.F32, Float.floatToRawIntBits(0x1p24f));
        assertKnown(DType.U64, (1L << 62) + (1L << 38) + 1, DType.F32, Float.floatToRawIntBits(0x1.000002p62f));
    }

    private static void assertKnown(DType from, long raw, DType to, long expected) {
        assertEquals(expected, Oracle.convert(from, raw, to), from + " to " + to + " in the oracle");
        try (Desk desk = new Desk()) {
            desk.check(from, LongStream.generate(() -> raw).limit(8).toArray(), to);
        }
    }
}
