package io.fastsafetensors.cli;

import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// Runs every command but the demo once under `-XX:AOTCacheOutput`, so that the launcher's cache holds what commands
/// need: in silence, on a small checkpoint in a temporary directory.
final class AotTrainingRun {
    private static final int TENSORS = 200;
    private static final int ELEMENTS = 8 << 20;

    private AotTrainingRun() {
    }

    /// Runs it.
    public static void main(String[] args) {
        PrintStream nowhere = new PrintStream(OutputStream.nullOutputStream(), false, StandardCharsets.UTF_8);
        try (TemporaryDirectory directory = TemporaryDirectory.create(Path.of(System.getProperty("java.io.tmpdir")),
                false)) {
            Terminal.of(2);
            String checkpoint = directory.path().toString();
            Safetensors.write(directory.path(), tensors(), WriteOptions.defaults().withMaxShardBytes(4L * TENSORS));
            for (String format : List.of("text", "tsv", "json")) {
                Main.run(new String[] {"ls", "--format", format, checkpoint}, nowhere, nowhere);
                Main.run(new String[] {"verify", "--format", format, checkpoint}, nowhere, nowhere);
            }
            Main.run(new String[] {"doctor", checkpoint}, nowhere, nowhere);
            Main.run(new String[] {"load", checkpoint}, nowhere, nowhere);
            Main.run(new String[] {"load", "--transfer", "mapped", checkpoint}, nowhere, nowhere);
            Main.run(new String[] {"bench", "--rounds", "1", checkpoint}, nowhere, nowhere);
            Main.run(new String[] {"ls", "--sha256", checkpoint}, nowhere, nowhere);
            rewrite(checkpoint, directory.path(), nowhere);
            convert(directory.path(), nowhere);
            Main.run(new String[] {"ls", "--help"}, nowhere, nowhere);
            Main.run(new String[] {"ls", "--wrong"}, nowhere, nowhere);
            Main.run(new String[] {"verify", checkpoint + "/absent"}, nowhere, nowhere);
        }
    }

    private static void rewrite(String checkpoint, Path directory, PrintStream nowhere) {
        String one = directory.resolve("one.safetensors").toString();
        String other = directory.resolve("other.safetensors").toString();
        String shards = directory.resolve("shards").toString();
        Main.run(new String[] {"merge", checkpoint, one}, nowhere, nowhere);
        Main.run(new String[] {"convert", "--dtype", "F32", one, other}, nowhere, nowhere);
        Main.run(new String[] {"diff", one, other}, nowhere, nowhere);
        Main.run(new String[] {"align", "--digests", one, other}, nowhere, nowhere);
        Main.run(new String[] {"verify", "--digests", other}, nowhere, nowhere);
        Main.run(new String[] {"split", "--max-shard-size", "1KB", one, shards}, nowhere, nowhere);
    }

    /// Enough of the common pairs that their loops are compiled as soon as a command begins to convert.
    private static void convert(Path directory, PrintStream nowhere) {
        String from = directory.resolve("large.safetensors").toString();
        String to = directory.resolve("converted.safetensors").toString();
        for (DType dtype : List.of(DType.F32, DType.BF16, DType.F16)) {
            Safetensors.write(Path.of(from), List.of(TensorSource.of("large", dtype, Shape.of(ELEMENTS),
                    channel -> channel.write(ByteBuffer.allocate((int) dtype.byteSize(ELEMENTS))))),
                    WriteOptions.defaults());
            for (DType other : List.of(DType.F32, DType.BF16, DType.F16)) {
                Main.run(new String[] {"convert", "--dtype", other.name(), from, to}, nowhere, nowhere);
            }
        }
    }

    private static List<TensorSource> tensors() {
        List<TensorSource> tensors = new ArrayList<>();
        for (int i = 0; i < TENSORS; i++) {
            tensors.add(TensorSource.of("layer." + i, DType.BF16, Shape.of(2, 2),
                    channel -> channel.write(ByteBuffer.allocate(8))));
        }
        return tensors;
    }
}
