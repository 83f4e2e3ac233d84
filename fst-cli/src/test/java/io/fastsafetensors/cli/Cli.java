package io.fastsafetensors.cli;

import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Runs commands through the entry that scripts use, and writes what they are run on.
final class Cli {
    /// The output of a command.
    record Result(int status, String out, String err) {
        List<String> lines() {
            return out.lines().toList();
        }

        List<String> errors() {
            return err.lines().toList();
        }

        /// The rows below the header line, cut at tabs.
        List<List<String>> rows() {
            return lines().stream().skip(1).map(line -> List.of(line.split("\t", -1))).toList();
        }

        /// The rows of a table of metrics.
        Map<String, String> metrics() {
            Map<String, String> metrics = new LinkedHashMap<>();
            rows().forEach(row -> metrics.put(row.get(0), row.get(1)));
            return metrics;
        }
    }

    private Cli() {
    }

    static Result run(Object... args) {
        String[] words = new String[args.length];
        for (int i = 0; i < words.length; i++) {
            words[i] = args[i].toString();
        }
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        int status = Main.run(words, new PrintStream(out, true, StandardCharsets.UTF_8),
                new PrintStream(err, true, StandardCharsets.UTF_8));
        return new Result(status, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
    }

    static TensorSource bytes(String name, int... values) {
        ByteBuffer bytes = ByteBuffer.allocate(values.length);
        for (int value : values) {
            bytes.put((byte) value);
        }
        return TensorSource.of(name, DType.U8, Shape.of(values.length),
                channel -> channel.write(bytes.duplicate().flip()));
    }

    static TensorSource zeros(String name, DType dtype, long... dims) {
        Shape shape = Shape.of(dims);
        return TensorSource.of(name, dtype, shape,
                channel -> channel.write(ByteBuffer.allocate((int) dtype.byteSize(shape.elements()))));
    }

    static Path write(Path file, TensorSource... tensors) {
        return Safetensors.write(file, List.of(tensors), WriteOptions.defaults()).getFirst();
    }

    static Path writeShards(Path directory, long maxShardBytes, TensorSource... tensors) {
        Safetensors.write(directory, List.of(tensors), WriteOptions.defaults().withMaxShardBytes(maxShardBytes));
        return directory;
    }
}
