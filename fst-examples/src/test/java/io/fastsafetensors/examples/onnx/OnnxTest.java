package io.fastsafetensors.examples.onnx;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.api.TransferPath;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// The model's results from fst's memory, against plain arithmetic: the numbers are exact in every type on the way.
class OnnxTest {
    private static final int INPUTS = 5;
    private static final int HIDDEN = 7;
    private static final int OUTPUTS = 3;
    private static final float[] W1 = numbers(INPUTS * HIDDEN, 3);
    private static final float[] B1 = numbers(HIDDEN, 5);
    private static final float[] W2 = numbers(HIDDEN * OUTPUTS, 7);
    private static final float[] B2 = numbers(OUTPUTS, 11);
    private static final float[][] INPUT = {{1, 2, 3, 4, 5}, {-3, 0, 2, -1, 4}};

    @TempDir
    Path directory;

    private Path model;
    private Path weightsFile;

    private static float[] numbers(int count, int step) {
        float[] numbers = new float[count];
        for (int i = 0; i < count; i++) {
            numbers[i] = (i * step % 17 - 8) / 4f;
        }
        return numbers;
    }

    @BeforeEach
    void write() throws IOException {
        model = directory.resolve("model.onnx");
        weightsFile = directory.resolve("model.safetensors");
        new TwoLayerModel(INPUTS, HIDDEN, OUTPUTS).write(model, "model.safetensors");
        Safetensors.write(weightsFile,
                List.of(RunOnnx.bf16("w1", Shape.of(INPUTS, HIDDEN), W1), RunOnnx.bf16("b1", Shape.of(HIDDEN), B1),
                        RunOnnx.bf16("w2", Shape.of(HIDDEN, OUTPUTS), W2), RunOnnx.bf16("b2", Shape.of(OUTPUTS), B2)),
                WriteOptions.defaults());
    }

    private static Loader loader() {
        return Loader.builder().device("cpu").dtype(DType.F32).build();
    }

    /// The model in plain arithmetic.
    private static float[][] expected(float[] firstWeights) {
        float[][] rows = new float[INPUT.length][];
        for (int i = 0; i < rows.length; i++) {
            float[] positive = layer(INPUT[i], firstWeights, B1);
            for (int j = 0; j < positive.length; j++) {
                positive[j] = Math.max(0, positive[j]);
            }
            rows[i] = layer(positive, W2, B2);
        }
        return rows;
    }

    private static float[] layer(float[] input, float[] weights, float[] bias) {
        float[] output = bias.clone();
        for (int i = 0; i < input.length; i++) {
            for (int j = 0; j < output.length; j++) {
                output[j] += input[i] * weights[i * output.length + j];
            }
        }
        return output;
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void a_session_computes_with_the_loaded_weights(boolean prepacking) throws OrtException {
        try (Loader loader = loader();
                Weights weights = loader.load(weightsFile);
                SharedWeightsSession session = new SharedWeightsSession(model, weights, prepacking)) {
            assertArrayEquals(expected(W1), session.run(INPUT));
        }
    }

    @Test
    void the_session_reads_fst_s_memory_itself() throws OrtException {
        try (Loader loader = loader();
                Weights weights = loader.load(weightsFile);
                SharedWeightsSession session = new SharedWeightsSession(model, weights, false)) {
            session.run(INPUT);
            float[] changed = numbers(INPUTS * HIDDEN, 13);
            for (int i = 0; i < changed.length; i++) {
                weights.get("w1").segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, changed[i]);
            }
            assertArrayEquals(expected(changed), session.run(INPUT));
        }
    }

    @Test
    void the_memory_outlives_the_weights_for_as_long_as_the_session() throws OrtException {
        try (Loader loader = loader()) {
            Weights weights = loader.load(weightsFile);
            try (weights; SharedWeightsSession session = new SharedWeightsSession(model, weights, false)) {
                weights.close();
                assertThrows(IllegalStateException.class, () -> weights.get("w1"));
                assertArrayEquals(expected(W1), session.run(INPUT));
            }
        }
    }

    @Test
    @Tag("slow")
    void weights_may_be_over_2_gib_together() throws IOException, OrtException {
        int inputs = 32;
        int outputs = 32;
        int hidden = 9_000_000;
        long matrix = 4L * inputs * hidden;
        new TwoLayerModel(inputs, hidden, outputs).write(model, "model.safetensors");
        byte[] header =
                """
                        {"w1":{"dtype":"F32","shape":[%1$d,%2$d],"data_offsets":[0,%3$d]},"w2":{"dtype":"F32","shape":[%2$d,%1$d],\
                        "data_offsets":[%3$d,%4$d]},"b1":{"dtype":"F32","shape":[%2$d],"data_offsets":[%4$d,%5$d]},\
                        "b2":{"dtype":"F32","shape":[%1$d],"data_offsets":[%5$d,%6$d]}}"""
                        .formatted(inputs, hidden, matrix, 2 * matrix, 2 * matrix + 4L * hidden,
                                2 * matrix + 4L * hidden + 4L * outputs)
                        .getBytes(StandardCharsets.UTF_8);
        // Zeros take no room on the disk; the last element of each part does the work.
        try (FileChannel file = FileChannel.open(weightsFile, StandardOpenOption.WRITE,
                StandardOpenOption.TRUNCATE_EXISTING)) {
            file.write(ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(0, header.length), 0);
            file.write(ByteBuffer.wrap(header), 8);
            long data = 8L + header.length;
            put(file, data + 4L * (hidden - 1), 3);
            put(file, data + 2 * matrix - 4L * outputs, 2);
            put(file, data + 2 * matrix + 4L * (hidden - 1), 1);
            put(file, data + 2 * matrix + 4L * hidden + 4L * (outputs - 1), 5);
        }
        try (Loader loader = Loader.builder().device("cpu").transferPath(TransferPath.MAPPED).build();
                Weights weights = loader.load(weightsFile);
                SharedWeightsSession session = new SharedWeightsSession(model, weights, false)) {
            assertTrue(weights.stats().bytes() > Integer.MAX_VALUE);
            float[][] input = new float[1][inputs];
            input[0][0] = 1;
            float[] output = session.run(input)[0];
            assertEquals((1 * 3 + 1) * 2, output[0]);
            assertEquals(5, output[outputs - 1]);
        }
    }

    private static void put(FileChannel file, long position, float value) throws IOException {
        file.write(ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putFloat(0, value), position);
    }

    @Test
    void the_buffer_of_an_onnx_tensor_is_fst_s_memory() throws OrtException {
        try (Loader loader = loader();
                Weights weights = loader.load(weightsFile);
                SharedOnnxTensor shared = new SharedOnnxTensor(OrtEnvironment.getEnvironment(), weights.get("b2"))) {
            assertArrayEquals(new long[] {OUTPUTS}, shared.tensor().getInfo().getShape());
            assertArrayEquals(B2, (float[]) shared.tensor().getValue());
            ByteBuffer buffer = (ByteBuffer) shared.tensor().getBufferRef().orElseThrow();
            assertTrue(buffer.isDirect());
            buffer.putFloat(0, 1234);
            assertEquals(1234, weights.get("b2").segment().getAtIndex(ValueLayout.JAVA_FLOAT, 0));
            assertEquals(1234, ((float[]) shared.tensor().getValue())[0]);
        }
    }

    @Test
    void a_dtype_that_onnx_runtime_does_not_have_is_named() {
        Path file = directory.resolve("f8.safetensors");
        TensorSource source = TensorSource.of("scales", DType.F8_E8M0, Shape.of(2),
                channel -> channel.write(ByteBuffer.wrap(new byte[] {1, 2})));
        Safetensors.write(file, List.of(source), WriteOptions.defaults());
        try (Loader loader = Loader.builder().device("cpu").build(); Weights weights = loader.load(file)) {
            Exception e = assertThrows(IllegalArgumentException.class,
                    () -> new SharedOnnxTensor(OrtEnvironment.getEnvironment(), weights.get("scales")));
            assertTrue(String.valueOf(e.getMessage()).contains("scales is F8_E8M0"), e.getMessage());
        }
    }
}
