package io.fastsafetensors.tests.api;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Shape;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The column `fst` of the table in docs/conversions.md.
class ConversionTableTest {
    private static final float INF = Float.POSITIVE_INFINITY;

    @TempDir
    private Path directory;

    private float[] through(DType dtype, float... values) {
        Path file = directory.resolve("m.safetensors");
        Safetensors.write(file, TensorSource.of("w", Shape.of(values.length), values));
        try (Weights weights = Safetensors.load(file, Device.CPU); Tensor narrow = weights.get("w").to(dtype)) {
            return narrow.toFloatArray();
        }
    }

    @Test
    void what_is_too_large_for_a_dtype_without_infinity_becomes_the_largest() {
        assertArrayEquals(new float[] {448, -448, 448, -448}, through(DType.F8_E4M3, 465, -1e9F, INF, -INF));
        assertArrayEquals(new float[] {240, -240, 240, -240}, through(DType.F8_E4M3FNUZ, 248, -1e9F, INF, -INF));
        assertArrayEquals(new float[] {57344, -57344, 57344}, through(DType.F8_E5M2FNUZ, 1e9F, -1e9F, INF));
        assertArrayEquals(new float[] {6, -6, 6, 0}, through(DType.F4, 1e9F, -INF, INF, Float.NaN));
        assertArrayEquals(new float[] {7.5F, -7.5F, 7.5F, 0}, through(DType.F6_E2M3, 1e9F, -INF, INF, Float.NaN));
        assertArrayEquals(new float[] {28, -28, 28, 0}, through(DType.F6_E3M2, 1e9F, -INF, INF, Float.NaN));
        assertArrayEquals(new float[] {INF, -INF}, through(DType.F8_E5M2, 1e9F, -1e9F));
    }

    @Test
    void scales_round_to_the_even_code_and_stay_finite() {
        float smallest = 0x1p-127F;
        assertArrayEquals(new float[] {2, 2, 8, 0x1p127F, smallest, 2}, through(DType.F8_E8M0, 1.5F, 3, 6,
                Float.MAX_VALUE, 0, -2));
        assertEquals(Float.NaN, through(DType.F8_E8M0, Float.NaN)[0]);
    }

    @Test
    void doubles_are_rounded_once() {
        Path file = directory.resolve("m.safetensors");
        Safetensors.write(file, TensorSource.of("w", Shape.of(2),
                new double[] {1 + 0x1p-8 + 0x1p-40, 1 + 0x1p-11 + 0x1p-40}));
        try (Weights weights = Safetensors.load(file, Device.CPU)) {
            assertEquals(1 + 0x1p-7F, weights.get("w").to(DType.BF16).toFloatArray()[0]);
            assertEquals(1 + 0x1p-10F, weights.get("w").to(DType.F16).toFloatArray()[1]);
        }
    }

    @Test
    void a_payload_stays_as_far_as_it_fits_and_integers_saturate() {
        Path file = directory.resolve("m.safetensors");
        Safetensors.write(file, TensorSource.of("w", Shape.of(3),
                new float[] {Float.intBitsToFloat(0xffa12345), 1e30F, -1e30F}));
        try (Weights weights = Safetensors.load(file, Device.CPU)) {
            assertEquals((short) 0xffe1, weights.get("w").to(DType.BF16).asByteBuffer().getShort(0));
            assertArrayEquals(new int[] {0, Integer.MAX_VALUE, Integer.MIN_VALUE}, weights.get("w").toIntArray());
        }
    }
}
