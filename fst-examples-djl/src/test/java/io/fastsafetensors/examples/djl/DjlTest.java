package io.fastsafetensors.examples.djl;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Shape;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// PyTorch's results from fst's memory, against plain arithmetic: the numbers are small integers, exact in every type
/// on the way.
@EnabledOnOs(value = OS.LINUX, architectures = "amd64", disabledReason = "the pom has no other natives of PyTorch")
class DjlTest {
    private static final int ROWS = 4;
    private static final int COLUMNS = 6;
    private static final float[] MATRIX = numbers(ROWS * COLUMNS, 5);
    private static final float[] VECTOR = numbers(COLUMNS, 3);

    @TempDir
    Path directory;

    private final NDManager manager = NDManager.newBaseManager(ai.djl.Device.cpu(), "PyTorch");
    private Weights weights;

    private static float[] numbers(int count, int step) {
        float[] numbers = new float[count];
        for (int i = 0; i < count; i++) {
            numbers[i] = i * step % 17 - 8;
        }
        return numbers;
    }

    @BeforeEach
    void load() {
        Path file = directory.resolve("model.safetensors");
        Safetensors.write(file,
                List.of(source("matrix", DType.F32, Shape.of(ROWS, COLUMNS), MATRIX),
                        source("vector", DType.F32, Shape.of(COLUMNS), VECTOR),
                        source("brief", DType.BF16, Shape.of(ROWS, COLUMNS), MATRIX),
                        source("scales", DType.F8_E8M0, Shape.of(0))),
                WriteOptions.defaults());
        weights = Safetensors.load(file, Device.CPU);
    }

    @AfterEach
    void close() {
        weights.close();
        manager.close();
    }

    private static TensorSource source(String name, DType dtype, Shape shape, float... values) {
        ByteBuffer bytes = ByteBuffer.allocate(values.length * dtype.bits() / 8).order(ByteOrder.LITTLE_ENDIAN);
        for (float value : values) {
            if (dtype == DType.BF16) {
                bytes.putShort((short) (Float.floatToRawIntBits(value) >>> 16));
            } else {
                bytes.putFloat(value);
            }
        }
        return TensorSource.of(name, dtype, shape, channel -> channel.write(bytes.flip()));
    }

    private static float[] product(float[] matrix) {
        float[] product = new float[ROWS];
        for (int i = 0; i < ROWS; i++) {
            for (int j = 0; j < COLUMNS; j++) {
                product[i] += matrix[i * COLUMNS + j] * VECTOR[j];
            }
        }
        return product;
    }

    @Test
    void pytorch_multiplies_what_fst_loaded() {
        try (SharedArray matrix = new SharedArray(manager, weights.get("matrix"));
                SharedArray vector = new SharedArray(manager, weights.get("vector"));
                NDArray product = matrix.array().matMul(vector.array())) {
            assertArrayEquals(product(MATRIX), product.toFloatArray());
        }
    }

    @Test
    void bf16_is_loaded_as_f32() {
        try (Loader loader = Loader.builder().device("cpu").dtype(DType.F32).build();
                Weights widened = loader.load(directory.resolve("model.safetensors"));
                SharedArray brief = new SharedArray(manager, widened.get("brief"));
                SharedArray vector = new SharedArray(manager, widened.get("vector"));
                NDArray product = brief.array().matMul(vector.array())) {
            assertArrayEquals(product(MATRIX), product.toFloatArray());
        }
    }

    @Test
    void what_one_side_writes_the_other_reads() {
        try (SharedArray matrix = new SharedArray(manager, weights.get("matrix"));
                SharedArray vector = new SharedArray(manager, weights.get("vector"))) {
            matrix.array().muli(2);
            float[] doubled = MATRIX.clone();
            for (int i = 0; i < doubled.length; i++) {
                doubled[i] *= 2;
            }
            assertArrayEquals(doubled, weights.get("matrix").segment().toArray(ValueLayout.JAVA_FLOAT));

            weights.get("matrix").segment().setAtIndex(ValueLayout.JAVA_FLOAT, 0, 100);
            doubled[0] = 100;
            try (NDArray product = matrix.array().matMul(vector.array())) {
                assertArrayEquals(product(doubled), product.toFloatArray());
            }
        }
    }

    @Test
    void the_memory_outlives_the_weights_for_as_long_as_the_array() {
        try (SharedArray matrix = new SharedArray(manager, weights.get("matrix"));
                SharedArray vector = new SharedArray(manager, weights.get("vector"))) {
            weights.close();
            assertThrows(IllegalStateException.class, () -> weights.get("matrix"));
            try (NDArray product = matrix.array().matMul(vector.array())) {
                assertArrayEquals(product(MATRIX), product.toFloatArray());
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"brief is BF16", "scales is F8_E8M0"})
    void a_dtype_that_djl_does_not_take_is_named(String expected) {
        String name = expected.substring(0, expected.indexOf(' '));
        Exception e = assertThrows(IllegalArgumentException.class,
                () -> new SharedArray(manager, weights.get(name)));
        assertTrue(String.valueOf(e.getMessage()).contains(expected), e.getMessage());
    }
}
