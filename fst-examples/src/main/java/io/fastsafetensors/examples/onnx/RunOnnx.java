package io.fastsafetensors.examples.onnx;

import ai.onnxruntime.OrtException;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/// Writes a small model with BF16 weights, loads the weights as F32, and runs the model on them.
public final class RunOnnx {
    private RunOnnx() {
    }

    /// Takes no arguments.
    public static void main(String[] args) throws IOException, OrtException {
        Path directory = Files.createTempDirectory("onnx");
        Path model = directory.resolve("model.onnx");
        Path weightsFile = directory.resolve("model.safetensors");
        try {
            new TwoLayerModel(2, 3, 1).write(model, "model.safetensors");
            Safetensors.write(weightsFile,
                    List.of(bf16("w1", Shape.of(2, 3), 1, 2, 3, 4, 5, 6), bf16("b1", Shape.of(3), 0, 0, -100),
                            bf16("w2", Shape.of(3, 1), 1, 10, 100), bf16("b2", Shape.of(1), 0.5f)),
                    WriteOptions.defaults());
            try (Loader loader = Loader.builder().device("cpu").dtype(DType.F32).build();
                    Weights weights = loader.load(weightsFile);
                    SharedWeightsSession session = new SharedWeightsSession(model, weights, true)) {
                System.out.println(Arrays.deepToString(session.run(new float[][] {{1, 1}, {10, 20}})));
            }
        } finally {
            Files.deleteIfExists(model);
            Files.deleteIfExists(weightsFile);
            Files.delete(directory);
        }
    }

    /// A tensor of numbers that BF16 has exactly, or else the next towards zero.
    static TensorSource bf16(String name, Shape shape, float... values) {
        ByteBuffer bytes = ByteBuffer.allocate(values.length * Short.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        for (float value : values) {
            bytes.putShort((short) (Float.floatToRawIntBits(value) >>> 16));
        }
        return TensorSource.of(name, DType.BF16, shape, channel -> {
            bytes.flip();
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
        });
    }
}
